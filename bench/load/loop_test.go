//go:build linux

package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"signpost/bench/canned"
	"signpost/bench/load"
)

const minute = time.Minute // a bound that no test reaches

// serve runs a server for the connections of one listener and returns its
// address.
func serve(t *testing.T, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func serveCanned(t *testing.T, route []byte) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	server := canned.Server{Route: route}
	go func() { _ = server.Serve(l) }()
	return netip.MustParseAddrPort(l.Addr().String())
}

func newLoop(t *testing.T) *load.Loop {
	t.Helper()
	loop, err := load.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = loop.Close() })
	return loop
}

func dial(t *testing.T, loop *load.Loop, addr netip.AddrPort, n int) []*load.Conn {
	t.Helper()
	conns, err := loop.Dial(addr, n)
	if err != nil {
		t.Fatal(err)
	}
	return conns
}

func route(t *testing.T) *load.Request {
	t.Helper()
	r, err := load.RouteRequest("orders")
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

// A limited work sends exactly as many requests as it says, each answer comes
// to the check with its own token, and the run ends by itself, whether the
// requests follow the answers or a rate.
func TestRunAnswersEveryRequest(t *testing.T) {
	body := bytes.Repeat([]byte("r"), 1000)
	addr := serveCanned(t, body)
	for _, rate := range []float64{0, 100_000} {
		t.Run(fmt.Sprintf("rate %g", rate), func(t *testing.T) {
			loop := newLoop(t)
			req := route(t)
			const n = 5000
			next, seen := 0, map[int]int{}
			work := &load.Work{
				Conns: dial(t, loop, addr, 3), InFlight: 8, Rate: rate, Limit: n,
				Next: func(int) (*load.Request, int) { next++; return req, next },
				Check: func(token int, a load.Answer) error {
					seen[token]++
					if a.Code != 0 || !bytes.Equal(a.Body, body) {
						return fmt.Errorf("answer %+v", a)
					}
					return nil
				},
			}
			results, err := loop.Run(context.Background(), minute, false, work)
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if next != n || len(seen) != n || r.Answered != n || r.Latency.Len() != n {
				t.Errorf("%d sent, %d of them answered, %d counted, %d latencies; want %d of all", next, len(seen), r.Answered, r.Latency.Len(), n)
			}
		})
	}
}

// Two works share a run, and connections are of use in the next run.
func TestRunsFollowEachOther(t *testing.T) {
	addr := serveCanned(t, []byte("route"))
	loop := newLoop(t)
	req := route(t)
	next := func(int) (*load.Request, int) { return req, 0 }
	endless := &load.Work{Conns: dial(t, loop, addr, 2), InFlight: load.MaxInFlight, Next: next}
	limited := &load.Work{Conns: dial(t, loop, addr, 40), InFlight: 1, Limit: 40, Next: next}
	for range 3 {
		results, err := loop.Run(context.Background(), minute, true, endless, limited)
		if err != nil {
			t.Fatal(err)
		}
		if results[0].Answered == 0 || results[1].Answered != 40 {
			t.Errorf("%d and %d answers", results[0].Answered, results[1].Answered)
		}
	}
	if _, err := loop.Run(context.Background(), time.Millisecond, false, endless); err != nil {
		t.Errorf("the end by time: %v", err)
	}
}

// Frames that no socket buffer holds are written in pieces.
func TestRunWritesLongFrames(t *testing.T) {
	addr := serveCanned(t, nil)
	loop := newLoop(t)
	fleet := load.Fleet{Name: "big", Brokers: 1, TopicsPerBroker: 50_000, Topics: 50_000}
	req, err := load.RegisterRequest(fleet.Broker(0), fleet.Body(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	results, err := loop.Run(context.Background(), minute, false, &load.Work{
		Conns: dial(t, loop, addr, 2), InFlight: 2, Limit: 8,
		Next: func(int) (*load.Request, int) { return &req, 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Answered != 8 {
		t.Errorf("%d answers, want 8", results[0].Answered)
	}
}

func TestRunFails(t *testing.T) {
	wrong := errors.New("wrong")
	good := serveCanned(t, []byte("route"))
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name  string
		addr  netip.AddrPort
		ctx   context.Context
		check func(int, load.Answer) error
	}{
		{"when the check refuses", good, context.Background(), func(int, load.Answer) error { return wrong }},
		{"when its context is over", good, stopped, nil},
		{"when the server closes", serve(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 100))
		}), context.Background(), nil},
		{"when an opaque is another's", serve(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			header := `{"code":0,"flag":1,"opaque":1000000255}`
			_, _ = fmt.Fprintf(conn, "\x00\x00\x00%c\x00\x00\x00%c%s", 4+len(header), len(header), header)
			_, _ = io.Copy(io.Discard, conn)
		}), context.Background(), nil},
		{"when an answer is no frame", serve(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_, _ = io.Copy(io.Discard, conn)
		}), context.Background(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			loop := newLoop(t)
			req := route(t)
			_, err := loop.Run(tt.ctx, minute, false, &load.Work{
				Conns: dial(t, loop, tt.addr, 1), InFlight: 1, Check: tt.check,
				Next: func(int) (*load.Request, int) { return req, 0 },
			})
			if err == nil {
				t.Fatal("no error")
			}
			if tt.check != nil && !errors.Is(err, wrong) {
				t.Errorf("the check's error is lost: %v", err)
			}
		})
	}
}

func TestClient(t *testing.T) {
	body := bytes.Repeat([]byte("r"), 1<<20)
	c, err := load.DialClient(serveCanned(t, body), minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		a, took, err := c.Do(route(t), minute)
		if err != nil {
			t.Fatal(err)
		}
		if a.Code != 0 || !bytes.Equal(a.Body, body) || took <= 0 {
			t.Errorf("code %d, %d bytes, %v", a.Code, len(a.Body), took)
		}
	}
}
