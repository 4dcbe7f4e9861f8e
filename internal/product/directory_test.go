package product

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestDirectoryURL(t *testing.T) {
	for _, test := range []struct{ server, env, want string }{
		{"addr.example.com", "center", "http://addr.example.com:8080/rocketmq/nsaddr-center?nofix=1"},
		{"addr.example.com:80", "center", "http://addr.example.com:80/rocketmq/nsaddr-center?nofix=1"},
		{"10.0.0.1", " ", "http://10.0.0.1:8080/rocketmq/nsaddr"},
		{"::1", "", "http://[::1]:8080/rocketmq/nsaddr"},
		{"[::1]:99", "", "http://[::1]:99/rocketmq/nsaddr"},
		{"h", "a/b?c d", "http://h:8080/rocketmq/nsaddr-a%2Fb%3Fc%20d?nofix=1"},
	} {
		if got := directoryURL(test.server, test.env); got != test.want {
			t.Errorf("directoryURL(%q, %q) = %s, want %s", test.server, test.env, got, test.want)
		}
	}
}

func TestParseList(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"10.0.0.1:9876", []string{"10.0.0.1:9876"}},
		{"10.0.0.1:9876;10.0.0.2:9876\n", []string{"10.0.0.1:9876", "10.0.0.2:9876"}},
		{"\r\n ns-1:9876 ; [::1]:9877;\r\nsecond line:1", []string{"ns-1:9876", "[::1]:9877"}},
		{"a:1\rb:2", []string{"a:1"}},
		{"b:2;a:1;b:2", []string{"b:2", "a:1"}},
		{"a:1;no port;:2;b:0;c:65536;d:x;e:65535", []string{"a:1", "e:65535"}},
		{"", nil},
		{" ; ;\n", nil},
		{"<html>", nil},
	} {
		got, err := parseList(test.text)
		if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("parseList(%q) = %q, %v, want %q", test.text, got, err, test.want)
		}
	}
	var long strings.Builder
	for i := range maxServers + 1 {
		fmt.Fprintf(&long, "host-%d:1;", i)
	}
	if got, err := parseList(long.String()); len(got) != maxServers || err != nil {
		t.Errorf("%d addresses of too many, %v, want %d", len(got), err, maxServers)
	}
}

// addressServer answers as its handler at the time does.
type addressServer struct {
	mu      sync.Mutex
	handler http.HandlerFunc
	urls    []string
}

func (s *addressServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.urls = append(s.urls, r.Method+" "+r.Host+r.URL.String())
	handler := s.handler
	s.mu.Unlock()
	handler(w, r)
}

func (s *addressServer) answer(h http.HandlerFunc) {
	s.mu.Lock()
	s.handler = h
	s.mu.Unlock()
}

func (s *addressServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.urls)
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func silence(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// lookUp returns a Client in a network with an address server.
func lookUp(t *testing.T, n *network, h http.HandlerFunc) (*Client, *addressServer, *bytes.Buffer) {
	s := &addressServer{handler: h}
	n.web("addr:8080", s)
	log := &bytes.Buffer{}
	c := newClient(Options{AddressServer: "addr", EnvName: "center", Log: slog.New(slog.NewTextHandler(log, nil))}, n.dial)
	t.Cleanup(c.Close)
	return c, s, log
}

func TestLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer(route("a"), route("b"))
		n.set("ns:9876", ns.serve)
		c, server, log := lookUp(t, n, say("ns:9876\n"))
		if n.connections("addr:8080") != 0 {
			t.Error("asked before there was a question")
		}
		var wg sync.WaitGroup
		for _, topic := range []string{"a", "b"} {
			wg.Go(func() {
				if _, err := c.Route(t.Context(), topic); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if want := []string{"GET addr:8080/rocketmq/nsaddr-center?nofix=1"}; !slices.Equal(server.urls, want) {
			t.Errorf("requests are %q, want %q", server.urls, want)
		}
		if want := "addrs=[ns:9876]"; !strings.Contains(log.String(), want) {
			t.Errorf("the log says %q, want %q", log, want)
		}
	})
}

func TestListIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		old, young := newNameServer(route("orders")), newNameServer(route("orders"))
		n.set("old:9876", old.serve)
		n.set("young:9876", young.serve)
		c, server, _ := lookUp(t, n, say("old:9876"))
		wantRoute(t, c, "orders")
		server.answer(say("young:9876"))
		time.Sleep(readEvery - 1)
		wantRoute(t, c, "orders")
		synctest.Wait()
		if server.asked() != 1 {
			t.Fatalf("asked %d times within two minutes, want once", server.asked())
		}
		time.Sleep(1)
		wantRoute(t, c, "orders") // by the old list: nobody waits for the new one
		synctest.Wait()
		if server.asked() != 2 {
			t.Fatalf("asked %d times after two minutes, want twice", server.asked())
		}
		wantRoute(t, c, "orders")
		if old.asked() != 3 || young.asked() != 1 {
			t.Errorf("%d questions to the old one and %d to the new, want 3 and 1", old.asked(), young.asked())
		}
	})
}

var faults = []struct {
	name    string
	handler http.HandlerFunc
	took    time.Duration
	want    string
}{
	{"not found", http.NotFound, 0, "404 Not Found"},
	{"nothing", say(""), 0, "no host:port"},
	{"a page", say("<html>hello</html>"), 0, "no host:port"},
	{"too much", say(strings.Repeat("a:1;", maxList)), 0, "more than 65536 bytes"},
	{"silence", silence, readTime, "deadline exceeded"},
	{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "a:1;")
		panic(http.ErrAbortHandler)
	}, 0, "EOF"},
}

func TestNoListYet(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.set("ns:9876", newNameServer(route("orders")).serve)
				c, server, log := lookUp(t, n, fault.handler)
				start := time.Now()
				err := wantFailure(t, c, "orders")
				if !strings.Contains(err.Error(), fault.want) || !strings.Contains(err.Error(), "addr:8080") {
					t.Errorf("got %q, want %q and the address server", err, fault.want)
				}
				if took := time.Since(start); took != fault.took {
					t.Errorf("took %v, want %v", took, fault.took)
				}
				server.answer(say("ns:9876"))
				time.Sleep(readSoon - 1)
				if again := wantFailure(t, c, "orders"); again.Error() != err.Error() {
					t.Errorf("then got %q, want %q", again, err)
				}
				if server.asked() != 1 {
					t.Errorf("asked %d times within 10 s of a failure, want once", server.asked())
				}
				time.Sleep(1)
				wantRoute(t, c, "orders")
				if got := strings.Count(log.String(), "address server failed"); got != 1 {
					t.Errorf("the failure is logged %d times, want once: %s", got, log)
				}
			})
		})
	}
}

func TestLastGoodListStays(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				ns := newNameServer(route("orders"))
				n.set("ns:9876", ns.serve)
				c, server, log := lookUp(t, n, say("ns:9876"))
				wantRoute(t, c, "orders")
				server.answer(fault.handler)
				time.Sleep(readEvery)
				for range 3 {
					start := time.Now()
					wantRoute(t, c, "orders")
					if took := time.Since(start); took != 0 {
						t.Errorf("waited %v for the address server", took)
					}
					time.Sleep(fault.took)
					synctest.Wait()
					wantRoute(t, c, "orders")
					time.Sleep(readSoon)
				}
				if server.asked() != 4 {
					t.Errorf("asked %d times, want once and then every 10 s", server.asked())
				}
				server.answer(say("ns:9876"))
				wantRoute(t, c, "orders")
				synctest.Wait()
				if got := strings.Count(log.String(), "address server failed"); got != 1 {
					t.Errorf("the failure is logged %d times, want once: %s", got, log)
				}
				if got := strings.Count(log.String(), "product NameServers\" addrs=[ns:9876]"); got != 2 {
					t.Errorf("the list is logged %d times, want twice: %s", got, log)
				}
			})
		})
	}
}

func TestCloseEndsARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c, _, _ := lookUp(t, n, silence)
		failed := make(chan error)
		go func() {
			_, err := c.Route(t.Context(), "orders")
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		c.Close()
		if err := <-failed; err == nil {
			t.Error("the lookup under way found something")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

// TestConnectingToTheAddressServer is about one that does not even accept.
func TestConnectingToTheAddressServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(Options{AddressServer: "addr"}, func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		t.Cleanup(c.Close)
		start := time.Now()
		wantFailure(t, c, "orders")
		if took := time.Since(start); took != readTime {
			t.Errorf("took %v, want %v", took, readTime)
		}
	})
}
