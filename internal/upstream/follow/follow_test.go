package follow_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/upstream/follow"
)

// bubble runs a test on a clock of its own.
func bubble(t *testing.T, f func(t *testing.T, c *cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newCloud()) })
}

// pass lets time go by, and everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// other is a gateway of somebody else that holds what is registered through it.
const other = "other"

func TestSteadyStateIsOneBeatAnInterval(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		const brokers, topics = 100, 2000
		var names []string
		for i := range topics {
			names = append(names, fmt.Sprint("T", i))
		}
		for i := range brokers {
			c.register(other, fmt.Sprint("b", i), 0, names[i*topics/brokers:(i+1)*topics/brokers]...)
		}
		s := start(t, c)
		pass(time.Second)
		var wg sync.WaitGroup
		for _, name := range names {
			wg.Go(func() { s.route(name) })
		}
		wg.Wait()
		if n := c.count("routes"); n > 4 {
			t.Errorf("%d calls for %d topics", n, topics)
		}
		pass(time.Second)
		c.reset()
		for range 60 {
			for _, name := range names {
				if s.known(name) == "" {
					t.Fatalf("%s is not known", name)
				}
			}
			pass(5 * time.Second)
		}
		if n := c.total(); n != 60 || c.count("beat") != 60 {
			t.Errorf("in 5 minutes: %v", c.calls)
		}
	})
}

func TestRoutesAreAskedForAgainOnceAnHour(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		s := start(t, c)
		pass(time.Second)
		var names []string
		for i := range 60 { // at different times
			names = append(names, fmt.Sprint("T", i))
			c.register(other, fmt.Sprint("b", i), 0, names[i])
			pass(10 * time.Second)
			s.want(names[i], fmt.Sprintf("b%d 0/8", i))
		}
		c.reset()
		for range 3 * 60 {
			for _, name := range names {
				if s.known(name) == "" {
					t.Fatalf("%s is not known", name)
				}
			}
			pass(time.Minute)
		}
		if n := c.count("routes"); n < 3 || n > 6 {
			t.Errorf("%d calls for routes in three hours", n)
		}
	})
}

func TestChangesAreSeenWithinAnInterval(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T", "U")
		c.register(other, "z", 0, "Z")
		s := start(t, c)
		pass(time.Second)
		step := func(what string, change func(), want string) {
			t.Helper()
			change()
			pass(5100 * time.Millisecond)
			if got := s.known("T"); got != want { // nobody had to wait for it
				t.Errorf("after %s: %q, want %q", what, got, want)
			}
		}
		s.want("T", "a 0/8")
		s.want("Z", "z 0/8")
		step("another broker", func() { c.register(other, "b", 0, "T", "V") }, "a 0/8 b 0/8")
		step("a slave", func() { c.register(other, "b", 1, "T", "V") }, "a 0/8 b 0 1/8")
		step("other queues", func() { c.register(other, "a", 0, "T:4", "U") }, "a 0/4 b 0 1/8")
		step("a broker that leaves", func() { c.unregister("b", 0); c.unregister("b", 1) }, "a 0/4")
		step("the silent one is back", func() { c.register(other, "b", 0, "T", "V") }, "a 0/4 b 0/8")
		step("order", func() { c.world().PutKV(context.Background(), core.OrderNamespace, "T", "a:4") }, "a 0/4 b 0/8 order a:4")
		step("wiped", func() { c.world().WipeWrite(context.Background(), time.Now(), "a") }, "a 0/4 b 0/8 order a:4")
		wiped, _, _ := s.Known(time.Now(), "T")
		if route := wiped.Route; route.Rows[0].Queues.Perm != core.PermRead {
			t.Errorf("wiped: perm %d", route.Rows[0].Queues.Perm)
		}
		many := make([]string, 5000)
		for i := range many {
			many[i] = fmt.Sprint("many", i)
		}
		step("very many topics", func() { c.register(other, "c", 0, append(many, "T")...) }, "a 0/4 b 0/8 c 0/8 order a:4")
		step("gone", func() { c.world().DeleteTopic(context.Background(), time.Now(), "T", "") }, "none")
		step("back", func() { c.register(other, "a", 0, "T:2", "U") }, "")
		s.want("T", "a 0/2 order a:4")
		s.wantKnown("Z", "z 0/8")
		if len(s.heard.changes) == 0 || s.heard.all > 0 {
			t.Errorf("the listener heard %d changes, %d times all", len(s.heard.changes), s.heard.all)
		}
	})
}

// What is unchanged is the same object, with what was encoded of it.
func TestRouteStaysTheSameObject(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T")
		s := start(t, c)
		pass(time.Second)
		first, err := s.Route(context.Background(), time.Now(), "T")
		if err != nil {
			t.Fatal(err)
		}
		c.reset()
		c.register(other, "a", 1, "T") // and back: the log names it
		c.unregister("a", 1)
		pass(6 * time.Second)
		if n := c.count("routes"); n != 1 {
			t.Errorf("%d calls for routes", n)
		}
		if again, _, ok := s.Known(time.Now(), "T"); !ok || again.Route != first.Route {
			t.Errorf("another object: %v", ok)
		}
	})
}

// A change that was made from here is seen at once.
func TestSeen(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := start(t, c)
		pass(time.Second)
		id, err := s.ID(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		s.Seen(context.Background(), c.register(id, "a", 0, "T"))
		s.want("T", "a 0/8")
		began := time.Now()
		for i := range 20 {
			s.Seen(context.Background(), c.register(id, "a", 0, fmt.Sprint("T:", i+1)))
			s.want("T", fmt.Sprintf("a 0/%d", i+1))
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		// Many at once share beats.
		c.reset()
		began = time.Now()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				s.Seen(context.Background(), c.register(id, fmt.Sprint("many", i), 0, "M"))
			})
		}
		wg.Wait()
		if n, took := c.count("beat"), time.Since(began); n > 3 || took > time.Second {
			t.Errorf("%d beats in %v for 200 changes at once", n, took)
		}
	})
}

// A beat may be answered by a function that does not know yet what another one
// has raised. What was kept from before it is not answered all the same.
func TestSeenThroughAFunctionThatIsBehind(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T")
		c.register(other, "z", 0, "Z")
		c.behind = 2 * time.Second
		s := start(t, c)
		pass(11 * time.Second) // a beat has just been answered
		s.want("T", "a 0/8")
		began := time.Now()
		c.reset()
		s.Seen(context.Background(), c.register(other, "a", 0, "T:4"))
		if took := time.Since(began); took > time.Second {
			t.Errorf("waited for %v", took)
		}
		s.want("T", "a 0/4")
		if n := c.count("beat"); n > 6 {
			t.Errorf("%d beats", n)
		}
		pass(10 * time.Second)
		s.wantKnown("T", "a 0/4")
	})
}

// Another gateway dies and no sweeper tells it: what it held is not answered
// when its leases have run out.
func TestAnotherSessionRunsOut(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"short": 10 * time.Second, "usual": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cloud) {
				t.Cleanup(c.gateway(other))
				stop := c.gateway("dies")
				c.registerFor("dies", "a", 0, timeout, "T")
				c.registerFor(other, "b", 0, timeout, "T", "U")
				s := start(t, c)
				pass(12 * time.Second)
				s.want("T", "a 0/8 b 0/8")
				s.want("U", "b 0/8")
				stop()
				c.reset()
				sessions, _ := c.world().store.Sessions(context.Background())
				last, _ := sessions.Find("dies")
				lease := last.Last.Add(max(30*time.Second, timeout))
				if timeout == 0 {
					lease = last.Last.Add(core.DefaultTimeout)
				}
				for time.Now().Before(lease.Add(time.Minute)) {
					want := "a 0/8 b 0/8"
					if time.Now().After(lease) {
						want = "b 0/8"
					}
					s.want("T", want)
					s.want("U", "b 0/8")
					pass(500 * time.Millisecond)
				}
				if c.consistent != 1 {
					t.Errorf("%d calls for what is there then", c.consistent)
				}
			})
		})
	}
}

// A broker that heartbeats over HTTPS by itself, and stops.
func TestDirectLeaseRunsOut(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.registerFor("", "a", 0, 20*time.Second, "T")
		c.register(other, "b", 0, "T")
		s := start(t, c)
		for range 19 {
			s.want("T", "a 0/8 b 0/8")
			pass(time.Second)
		}
		pass(1100 * time.Millisecond)
		s.want("T", "b 0/8")
	})
}

func TestLogThatDoesNotReachBack(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T")
		c.register(other, "b", 0, "U")
		s := start(t, c)
		pass(time.Second)
		s.want("T", "a 0/8")
		s.want("U", "b 0/8")
		s.heard.take()
		c.reset()
		c.register(other, "a", 0, "T:4")
		for i := range 2000 {
			c.register(other, "noise", 0, fmt.Sprint("N:", i))
		}
		pass(5 * time.Second)
		s.wantKnown("T", "a 0/4")
		s.wantKnown("U", "b 0/8")
		if n := c.count("routes"); n != 1 {
			t.Errorf("%d calls for routes", n)
		}
		if _, changes, all := s.heard.take(); all != 1 || len(changes) > 0 {
			t.Errorf("the listener heard %d changes, %d times all", len(changes), all)
		}
	})
}

func TestOrderConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		ctx := context.Background()
		t.Cleanup(c.gateway(other))
		s := start(t, c)
		pass(time.Second)
		if _, err := s.KV(ctx, core.OrderNamespace); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("nothing there: %v", err)
		}
		want := func(value string) {
			t.Helper()
			table, err := s.KV(ctx, core.OrderNamespace)
			if err != nil || table["T"] != value {
				t.Errorf("%v, %v; want %q", table, err, value)
			}
		}
		put := func(value string) {
			t.Helper()
			rev, err := c.world().PutKV(ctx, core.OrderNamespace, "T", value)
			if err != nil {
				t.Fatal(err)
			}
			s.Seen(ctx, rev)
		}
		put("a:4")
		want("a:4")
		put("a:8")
		want("a:8")
		c.reset()
		for range 100 {
			want("a:8")
			pass(time.Second)
		}
		if n := c.count("kv"); n != 0 {
			t.Errorf("%d calls", n)
		}
		c.world().PutKV(ctx, core.OrderNamespace, "T", "a:2")
		pass(6 * time.Second)
		if n := c.count("kv"); n != 1 {
			t.Errorf("%d calls", n)
		}
		want("a:2")

		// Other namespaces are asked for each time, and known last.
		c.world().PutKV(ctx, "mine", "k", "v")
		for range 3 {
			if table, err := s.KV(ctx, "mine"); err != nil || table["k"] != "v" {
				t.Errorf("%v, %v", table, err)
			}
		}
		if n := c.count("kv"); n != 4 {
			t.Errorf("%d calls", n)
		}
		c.set(func() { c.fault = down })
		pass(20 * time.Second)
		want("a:2")
		if table, err := s.KV(ctx, "mine"); err != nil || table["k"] != "v" {
			t.Errorf("%v, %v", table, err)
		}
		if _, err := s.KV(ctx, "yours"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
}

func TestListenerMayBlock(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		block := make(chan struct{})
		s := start(t, c)
		s.heard.mu.Lock()
		s.heard.block = block
		s.heard.mu.Unlock()
		pass(time.Second)
		c.register(other, "a", 0, "T")
		pass(10 * time.Second)
		s.want("T", "a 0/8")
		if n := c.count("beat"); n != 2 {
			t.Errorf("%d beats", n)
		}
		for i := range 5000 {
			c.register(other, "a", 0, fmt.Sprint("T:", i+10))
			if i%500 == 0 {
				pass(5 * time.Second)
			}
		}
		pass(5 * time.Second)
		close(block)
		pass(time.Second)
		opened, changes, all := s.heard.take()
		if len(opened) != 1 || all != 1 || len(changes) != 0 {
			t.Errorf("heard %v, %d changes, %d times all", opened, len(changes), all)
		}
	})
}

func TestOptions(t *testing.T) {
	for _, interval := range []time.Duration{-1, time.Millisecond, 8 * time.Second} {
		_, err := follow.New(follow.Options{Interval: interval})
		var field *core.FieldError
		if !errors.As(err, &field) || field.Field != "interval" {
			t.Errorf("%v: %v", interval, err)
		}
	}
}
