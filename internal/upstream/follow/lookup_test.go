package follow_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/internal/upstream/api"
	"signpost/internal/upstream/follow"
)

// An answer that was made before what was heard since is not kept, and not
// answered either: who has promised something since relies on that.
func TestAnswerFromBefore(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T", "U")
		s := start(t, c)
		pass(4900 * time.Millisecond)
		late := make(chan struct{})
		c.set(func() { c.twist = func(*api.Routes) { <-late } })
		got := make(chan string)
		go func() { got <- s.route("T") }()
		pass(time.Millisecond * 10)
		c.register(other, "a", 0, "T:4", "U")
		pass(time.Second) // a beat tells it
		c.set(func() { c.twist = nil })
		s.want("T", "a 0/4") // does not join what is under way
		close(late)
		if first := <-got; first != "a 0/4" {
			t.Errorf("the first lookup: %q", first)
		}
		synctest.Wait()
		s.wantKnown("T", "a 0/4")
	})
}

func TestLookupsShareCalls(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		var names []string
		for i := range 2500 {
			names = append(names, fmt.Sprint("T", i))
		}
		c.register(other, "a", 0, names...)
		s := start(t, c)
		pass(time.Second)
		c.reset()
		var wg sync.WaitGroup
		for range 3 {
			for _, name := range names {
				wg.Go(func() { s.want(name, "a 0/8") })
			}
		}
		wg.Wait()
		seen := map[string]bool{}
		for _, topics := range c.asked {
			if len(topics) > api.MaxBatch {
				t.Errorf("%d topics in one call", len(topics))
			}
			for _, topic := range topics {
				if seen[topic] {
					t.Fatalf("%s was asked for twice", topic)
				}
				seen[topic] = true
			}
		}
		if len(c.asked) > 4 {
			t.Errorf("%d calls", len(c.asked))
		}
	})
}

func TestLaterAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprint("T", i))
		}
		c.register(other, "a", 0, names...)
		c.full = 3
		s := start(t, c)
		pass(time.Second)
		var wg sync.WaitGroup
		for _, name := range names {
			wg.Go(func() { s.want(name, "a 0/8") })
		}
		wg.Wait()
		if n := c.count("routes"); n != 7 {
			t.Errorf("%d calls for 20 topics, 3 at a time", n)
		}
	})
}

func TestUnknownTopic(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		s := start(t, c)
		pass(time.Second)
		c.reset()
		for range 10 {
			s.want("T", "none")
		}
		if n := c.count("routes"); n != 1 {
			t.Errorf("%d calls", n)
		}
		s.wantKnown("T", "none")
		pass(29 * time.Second)
		s.wantKnown("T", "none") // the log would tell
		pass(2 * time.Second)
		s.wantKnown("T", "")
		s.want("T", "none")
		s.Seen(context.Background(), c.register(other, "a", 0, "T"))
		s.want("T", "a 0/8")
		// The API refuses these names, and a call with one of them.
		c.reset()
		for _, topic := range []string{"", "a\nb", "\xff", string(make([]byte, 600))} {
			s.want(topic, "none")
		}
		if n := c.total(); n != 0 {
			t.Errorf("%d calls", n)
		}
		for i := range 10_000 {
			s.want(fmt.Sprint("unknown", i), "none")
		}
		if state := s.State(time.Now()); state.Routes != 1 {
			t.Errorf("%d routes", state.Routes)
		}
	})
}

// A broker that is back brings topics that nobody had when they were asked for.
func TestAbsentTopicOfABrokerThatIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T")
		c.unregister("a", 0)
		s := start(t, c)
		pass(time.Second)
		s.want("T", "none")
		rev := c.register(other, "a", 0, "T") // raises only who is in the group
		s.Seen(context.Background(), rev)
		s.want("T", "a 0/8")
	})
}

func TestAnswersThatDoNotFit(t *testing.T) {
	for name, twist := range map[string]func(*api.Routes){
		"another topic": func(r *api.Routes) { r.Routes[0].Topic = "U" },
		"one more":      func(r *api.Routes) { r.Routes = append(r.Routes, r.Routes[0]) },
		"none":          func(r *api.Routes) { r.Routes = nil },
		"no brokers":    func(r *api.Routes) { r.Routes[0].Body = []byte(`{"brokerDatas":[],"queueDatas":[]}`) },
		"no JSON":       func(r *api.Routes) { r.Routes[0].Body = []byte(`{`) },
		"unchanged":     func(r *api.Routes) { r.Routes[0].Status = api.RouteUnchanged },
		"all later":     func(r *api.Routes) { r.Routes[0] = api.RouteAnswer{Topic: "T", Status: api.RouteLater} },
		"unheard of":    func(r *api.Routes) { r.Routes[0].Status = "gone" },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cloud) {
				t.Cleanup(c.gateway(other))
				c.register(other, "a", 0, "T")
				s := start(t, c)
				pass(time.Second)
				c.twist = twist
				s.want("T", "unavailable")
				c.twist = nil
				pass(time.Second)
				s.want("T", "a 0/8")
			})
		})
	}
}

func TestBoundOfRoutes(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		var names []string
		for i := range 500 {
			names = append(names, fmt.Sprintf("T%03d", i))
		}
		c.register(other, "a", 0, names...)
		s := start(t, c, func(o *follow.Options) { o.Routes = 100 })
		pass(time.Second)
		for _, name := range names {
			s.want("T000", "a 0/8") // always in use
			s.want(name, "a 0/8")
			pass(20 * time.Second)
			if n := s.State(time.Now()).Routes; n > 100 {
				t.Fatalf("%d routes", n)
			}
		}
		s.wantKnown("T499", "a 0/8")
		s.wantKnown("T000", "a 0/8")
		s.wantKnown("T001", "")
	})
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		s := start(t, c, func(o *follow.Options) { o.Bytes = 100_000 })
		pass(time.Second)
		for i := range 500 {
			c.register(other, "a", 0, fmt.Sprint("T", i))
			s.want(fmt.Sprint("T", i), "a 0/8")
			if n := s.State(time.Now()).Bytes; n > 100_000 {
				t.Fatalf("%d bytes", n)
			}
		}
	})
}
