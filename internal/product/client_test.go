package product

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

func TestRoute(t *testing.T) {
	for _, form := range []wire.Form{wire.Plain, wire.Standard} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			ns := newNameServer(route("orders"))
			ns.form = form
			n.set("ns:9876", ns.serve)
			c := open(t, n, "ns:9876")
			wantRoute(t, c, "orders")

			got := ns.requests[0]
			want := remoting.Command{
				Code: remoting.GetRouteInfoByTopic, Language: "GO", Version: remoting.ServerVersion, Opaque: got.Opaque,
				ExtFields: remoting.Fields{{Key: "topic", Value: "orders"}, {Key: "acceptStandardJsonOnly", Value: "true"}},
				Encoding:  remoting.EncodingJSON,
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the request is %+v, want %+v", got, want)
			}
		})
	}
}

func TestNoTopicIsRememberedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer(route("other"))
		n.set("ns:9876", ns.serve)
		n.set("second:9876", newNameServer(route("orders")).serve)
		c := open(t, n, "ns:9876", "second:9876")
		wantNoTopic(t, c, "orders") // the answer of one counts
		ns.add(route("orders"))
		time.Sleep(missTime - 1)
		wantNoTopic(t, c, "orders")
		if ns.asked() != 1 {
			t.Errorf("asked %d times within a second, want once", ns.asked())
		}
		wantRoute(t, c, "other")
		time.Sleep(1)
		wantRoute(t, c, "orders")
		if got := n.connections("ns:9876"); got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
	})
}

func TestMissesAreBounded(t *testing.T) {
	m := misses{until: map[string]time.Time{}}
	now := time.Unix(1e9, 0)
	for i := range maxMisses + 1 {
		m.add(fmt.Sprint(i), now)
	}
	if len(m.until) > maxMisses {
		t.Errorf("%d topics are remembered, want at most %d", len(m.until), maxMisses)
	}
	if last := fmt.Sprint(maxMisses); !m.has(last, now) {
		t.Error("the last topic is forgotten")
	}
}

func TestNotWorthAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := open(t, n, "ns:9876") // where nobody is
		wantNoTopic(t, c, "")
		wantNoTopic(t, c, strings.Repeat("t", maxTopic+1))
		wantFailure(t, c, strings.Repeat("t", maxTopic))
	})
}

func TestNobodyToAsk(t *testing.T) {
	for _, addrs := range [][]string{nil, {}} {
		c := New(Options{Addrs: addrs, EnvName: "center"})
		defer c.Close()
		wantNoTopic(t, c, "orders")
	}
}

// moved are the ways in which a NameServer fails, and how long it takes to
// see it.
var moved = []struct {
	name string
	bad  func(n *network) func(net.Conn)
	took time.Duration
}{
	{"refuses", func(*network) func(net.Conn) { return nil }, 0},
	{"closes", func(*network) func(net.Conn) { return func(net.Conn) {} }, 0},
	{"closes at the request", func(*network) func(net.Conn) { return raw(nil) }, 0},
	{"never answers", func(n *network) func(net.Conn) { return n.hang }, attemptTime},
	{"does not read", func(n *network) func(net.Conn) { return func(net.Conn) { <-n.done } }, attemptTime},
	{"ends in the midst of a frame", func(*network) func(net.Conn) { return raw([]byte{0, 0, 1, 0, 0, 0, 0, 99, '{'}) }, 0},
	{"sends a byte a second", trickle, attemptTime},
	{"speaks HTTP", func(*network) func(net.Conn) { return raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, 0},
	{"is not ready", coded(remoting.SystemError), 0},
	{"is busy", coded(remoting.SystemBusy), 0},
	{"goes away", coded(remoting.GoAway), 0},
	{"does not know the request", coded(remoting.RequestCodeNotSupported), 0},
	{"answers another request", spoiled(func(c *remoting.Command) { c.Opaque++ }), 0},
	{"sends a request", spoiled(func(c *remoting.Command) { c.Flag = 0 }), 0},
	{"answers without a body", spoiled(func(c *remoting.Command) { c.Body = nil }), 0},
	{"answers half a body", spoiled(func(c *remoting.Command) { c.Body = c.Body[:len(c.Body)/2] }), 0},
	{"answers too much", spoiled(func(c *remoting.Command) { c.Body = make([]byte, maxAnswer) }), 0},
}

func coded(code remoting.Code) func(*network) func(net.Conn) {
	return func(*network) func(net.Conn) {
		ns := newNameServer()
		ns.code = code
		return ns.serve
	}
}

func spoiled(f func(*remoting.Command)) func(*network) func(net.Conn) {
	return func(*network) func(net.Conn) {
		ns := newNameServer(route("first"))
		ns.change = func(c *remoting.Command) bool { f(c); return true }
		return ns.serve
	}
}

func trickle(n *network) func(net.Conn) {
	return func(c net.Conn) {
		go n.hang(c)
		for _, b := range make([]byte, 100) {
			if _, err := c.Write([]byte{b, 1}[:1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
}

func TestMovesOn(t *testing.T) {
	for _, test := range moved {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.set("bad:9876", test.bad(n))
				n.set("good:9876", newNameServer(route("first"), route("second")).serve)
				c := open(t, n, "bad:9876", "good:9876")
				start := time.Now()
				wantRoute(t, c, "first")
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				wantRoute(t, c, "second")
				if bad, good := n.connections("bad:9876"), n.connections("good:9876"); bad != 1 || good != 1 {
					t.Errorf("%d connections to the bad one and %d to the good one, want 1 and 1", bad, good)
				}
			})
		})
	}
}

func TestOneThatFails(t *testing.T) {
	for _, test := range moved {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.set("ns:9876", test.bad(n))
				c := open(t, n, "ns:9876")
				err := wantFailure(t, c, "first")
				if !strings.Contains(err.Error(), "ns:9876") {
					t.Errorf("%q does not say who failed", err)
				}
				n.set("ns:9876", newNameServer(route("first")).serve)
				wantRoute(t, c, "first") // a failure is not remembered
			})
		})
	}
}

func TestRouteWithoutBrokersIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.set("ns:9876", newNameServer(&core.Route{Topic: "orders"}).serve)
		wantNoTopic(t, open(t, n, "ns:9876"), "orders")
	})
}

func TestConnectingTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.set("good:9876", newNameServer(route("orders")).serve)
		c := newClient(Options{Addrs: []string{"bad:9876", "good:9876"}}, func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "bad:9876" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return n.dial(ctx, network, addr)
		})
		c.pool.chosen = "bad:9876"
		t.Cleanup(c.Close)
		start := time.Now()
		wantRoute(t, c, "orders")
		if took := time.Since(start); took != attemptTime {
			t.Errorf("took %v, want %v", took, attemptTime)
		}
	})
}

func TestAllAttemptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		for _, addr := range []string{"a:1", "b:1", "c:1"} {
			n.set(addr, n.hang)
		}
		n.set("d:1", newNameServer(route("orders")).serve)
		c := open(t, n, "a:1", "b:1", "c:1", "d:1")
		start := time.Now()
		err := wantFailure(t, c, "orders")
		if took := time.Since(start); took != lookupTime {
			t.Errorf("took %v, want %v", took, lookupTime)
		}
		if text := err.Error(); !strings.Contains(text, "a:1") || !strings.Contains(text, "b:1") {
			t.Errorf("%q does not say who failed", text)
		}
		// The next lookup starts where this one has ended.
		wantRoute(t, c, "orders")
		if n.connections("a:1") != 1 || n.connections("b:1") != 1 || n.connections("c:1") != 1 {
			t.Errorf("connections are %v, want one to each", n.dials)
		}
	})
}

func TestKeepsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer(route("orders"))
		n.set("ns:9876", ns.serve)
		n.set("other:9876", newNameServer().serve)
		c := open(t, n, "ns:9876", "other:9876")
		for range 5 {
			wantRoute(t, c, "orders")
			time.Sleep(idleTime)
		}
		if got := n.connections("ns:9876"); got != 1 || ns.asked() != 5 {
			t.Fatalf("%d connections for %d requests, want 1 for 5", got, ns.asked())
		}
		time.Sleep(1)
		wantRoute(t, c, "orders")
		if got := n.connections("ns:9876"); got != 2 {
			t.Errorf("%d connections after it was idle for too long, want 2", got)
		}
	})
}

func TestConnectionClosedWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer(route("orders"))
		var peer net.Conn
		n.set("ns:9876", func(c net.Conn) { peer = c; ns.serve(c) })
		n.set("other:9876", newNameServer().serve)
		c := open(t, n, "ns:9876", "other:9876")
		wantRoute(t, c, "orders")
		peer.Close()
		wantRoute(t, c, "orders")
		if got := n.connections("ns:9876"); got != 2 || n.connections("other:9876") != 0 {
			t.Errorf("connections are %v, want two to the first only", n.dials)
		}
		// One that stays silent is not tried again.
		n.set("ns:9876", nil)
		ns.hold = n.done
		n.set("other:9876", newNameServer(route("orders")).serve)
		start := time.Now()
		wantRoute(t, c, "orders")
		if took := time.Since(start); took != attemptTime {
			t.Errorf("took %v, want %v", took, attemptTime)
		}
	})
}

// TestLateAnswers has a server answer one request and fail at another when a
// different server is asked already.
func TestLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		slow := newNameServer(route("slow"))
		slow.hold = make(chan struct{})
		slow.change = func(c *remoting.Command) bool {
			if c.Code == remoting.TopicNotExist {
				c.Code = remoting.SystemBusy
			}
			return true
		}
		n.set("a:1", slow.serve)
		n.set("b:1", newNameServer(route("failing")).serve)
		n.set("c:1", newNameServer(route("orders")).serve)
		addrs := []string{"a:1", "b:1", "c:1"}
		c := open(t, n, addrs...)
		var wg sync.WaitGroup
		for _, topic := range []string{"slow", "failing"} {
			wg.Go(func() {
				if _, err := c.Route(t.Context(), topic); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		c.pool.moveOn(addrs, "a:1", errRefused)
		c.pool.moveOn(addrs, "b:1", errRefused)
		wantRoute(t, c, "orders")
		close(slow.hold)
		wg.Wait()
		if c.pool.chosen != "c:1" {
			t.Errorf("%s is asked now, want c:1 still", c.pool.chosen)
		}
		for open := range n.open {
			if addr := open.(*watched).addr; addr != "c:1" {
				t.Errorf("a connection to %s is kept", addr)
			}
		}
	})
}

func TestSameQuestionsShareALookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer(route("orders"))
		ns.hold = make(chan struct{})
		n.set("ns:9876", ns.serve)
		c := open(t, n, "ns:9876")

		// The first to ask does not wait for the answer.
		hurried, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := c.Route(hurried, "orders")
			left <- err
		}()
		synctest.Wait()
		routes := make([]*core.Route, 50)
		var wg sync.WaitGroup
		for i := range routes {
			wg.Go(func() {
				r, err := c.Route(t.Context(), "orders")
				if err != nil {
					t.Error(err)
				}
				routes[i] = r
			})
		}
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who has left gets %v, want context.Canceled", err)
		}
		close(ns.hold)
		wg.Wait()
		if ns.asked() != 1 {
			t.Errorf("asked %d times, want once", ns.asked())
		}
		for _, r := range routes {
			if r != routes[0] {
				t.Fatal("not all got the same route")
			}
		}
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer()
		ns.hold = make(chan struct{})
		n.set("ns:9876", ns.serve)
		c := open(t, n, "ns:9876")
		var wg sync.WaitGroup
		for i := range 3 * maxConns {
			topic := fmt.Sprint("topic-", i)
			ns.add(route(topic))
			wg.Go(func() {
				if _, err := c.Route(t.Context(), topic); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(ns.hold)
		wg.Wait()
		if n.peak != maxConns || ns.asked() != 3*maxConns {
			t.Errorf("%d connections for %d requests, want %d for %d", n.peak, ns.asked(), maxConns, 3*maxConns)
		}
	})
}

func TestLookupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.set("ns:9876", n.hang)
		c := open(t, n, "ns:9876")
		start := time.Now()
		var wg sync.WaitGroup
		for i := range maxFlights {
			wg.Go(func() {
				if _, err := c.Route(t.Context(), fmt.Sprint(i)); err == nil || errors.Is(err, errBusy) {
					t.Errorf("lookup %d: %v, want a timeout", i, err)
				}
			})
		}
		synctest.Wait()
		if err := wantFailure(t, c, "orders"); !errors.Is(err, errBusy) {
			t.Errorf("one more: %v, want %v", err, errBusy)
		}
		wg.Wait()
		if took := time.Since(start); took != lookupTime {
			t.Errorf("took %v, want %v", took, lookupTime)
		}
		n.set("ns:9876", newNameServer(route("orders")).serve)
		wantRoute(t, c, "orders")
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		ns := newNameServer(route("orders"))
		n.set("ns:9876", ns.serve)
		c := open(t, n, "ns:9876", "other:9876")
		wantRoute(t, c, "orders")
		ns.hold = n.done
		failed := make(chan error)
		go func() {
			_, err := c.Route(t.Context(), "orders")
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		c.Close()
		if err := <-failed; !errors.Is(err, errClosed) {
			t.Errorf("the lookup under way: %v, want %v", err, errClosed)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("closing took %v", took)
		}
		if err := wantFailure(t, c, "orders"); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v, want %v", err, errClosed)
		}
		if n.connections("other:9876") != 0 {
			t.Error("another server was asked because of Close")
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(Options{Addrs: []string{"ns:9876"}}, func(context.Context, string, string) (net.Conn, error) { panic("boom") })
		t.Cleanup(c.Close)
		for range maxConns + 1 { // what it held is given back
			if err := wantFailure(t, c, "orders"); !strings.Contains(err.Error(), "boom") {
				t.Fatalf("got %v, want the panic", err)
			}
		}
	})
}
