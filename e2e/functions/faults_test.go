//go:build e2e

package functions_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/e2e/functions/stack"
	"signpost/e2e/gateway"
)

// A table that cannot now is told to the caller as 503 with when to come back;
// afterwards all is well.
func TestTheTableFails(t *testing.T) {
	for name, fault := range map[string]stack.Fault{"throttled": stack.Throttled, "cut off": stack.Refused, "silent": stack.Hung} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			const topic = "%RETRY%group"
			revision := s.register(stack.Registrar, s.registration(topic))
			if !s.found(topic, revision) {
				t.Fatal("not registered")
			}
			s.DynamoDB.Set(stack.Always(fault))
			changed := s.registration(topic, "more").with("dataVersion", object{"counter": 2, "stateVersion": 0, "timestamp": 1})
			for what, r := range map[string]*gateway.Reply{
				"registration": s.do(stack.Registrar, "PUT", "/v1/register/broker", changed.json(), "Content-Type", typeJSON),
				"lookup":       s.do(stack.Reader, "GET", "/v1/read/route?consistent=true&topic=other", nil),
				"session":      s.do(stack.GatewayA, "PUT", "/v1/register/session?open=true&gateway=a&id=s-"+s.broker, nil),
			} {
				// An answer of the gateway itself would be no problem: the function
				// has to answer before the gateway gives up.
				if r.Status != 503 || problem(r) == "" || r.Header.Get("Retry-After") == "" {
					t.Errorf("%s: %v, Retry-After %q", what, r, r.Header.Get("Retry-After"))
				}
			}
			s.DynamoDB.Set(nil)
			s.eventually("the registration is taken", func() bool {
				return s.do(stack.Registrar, "PUT", "/v1/register/broker", changed.json(), "Content-Type", typeJSON).Status == 200
			})
			if !s.found("more", revision+1) {
				t.Error("the registration is lost")
			}
			for id, f := range s.Functions {
				if strings.Contains(f.Output(), "panic") {
					t.Errorf("%s panicked", id)
				}
			}
		})
	}
}

// Some throttled calls between others are the caller's to notice by the time
// they take only.
func TestTheTableIsThrottledNowAndThen(t *testing.T) {
	s := start(t, nil)
	n := 0
	s.DynamoDB.Set(func(string) stack.Fault {
		if n++; n%3 == 0 {
			return stack.Throttled
		}
		return stack.Pass
	})
	topics := []string{"a", "b", "c", "d", "e"}
	s.register(stack.Registrar, s.registration(topics...))
	for _, topic := range topics {
		if !s.found(topic, 1) {
			t.Errorf("%s is not found", topic)
		}
	}
}

// The bus refuses single entries within an answer of 200: they come again until
// they are taken, and those that were taken do not.
func TestEntriesThatTheBusRefuses(t *testing.T) {
	s := start(t, nil)
	refused := 0
	s.Bus.Refuse(func(e stack.Event) bool {
		if e.DetailType == "BrokerRegistered" && refused < 2 {
			refused++
			return true
		}
		return false
	})
	s.register(stack.Registrar, s.registration("a"))
	s.eventually("the refused event comes", func() bool {
		s.tick()
		return len(s.announced("BrokerRegistered")) > 0
	})
	if got := s.announced("BrokerRegistered"); len(got) != 1 {
		t.Errorf("one registration is announced as %v", got)
	}
	for id, n := range s.announced("TopicRouteChanged") {
		if id == "" || n > refused+1 { // it comes again behind one that was refused
			t.Errorf("event %q came %d times", id, n)
		}
	}
	if s.Bus.Took()[0].Source != "signpost" || s.Bus.Took()[0].EventBusName != "signpost" {
		t.Errorf("the event is %+v", s.Bus.Took()[0])
	}
}

// Killed between table and bus: the state is written, its event is not out. The
// broker's retry brings it, or else the sweeper does.
func TestKilledBetweenTableAndBus(t *testing.T) {
	for name, next := range map[string]func(*scene, object){
		"the next call announces it": func(s *scene, r object) {
			s.register(stack.Registrar, r.with("dataVersion", object{"counter": 2, "stateVersion": 0, "timestamp": 1}))
		},
		"the sweeper announces it": func(s *scene, _ object) { s.tick() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			resume := s.Bus.Hang()
			defer resume()
			r := s.registration("a")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				// Whether it is answered before it dies does not matter.
				_, _ = s.As(stack.Registrar).Do(ctx, "PUT", "/v1/register/broker", r.json(), "Content-Type", typeJSON)
			}()
			s.eventually("the event is on its way", func() bool { return s.Bus.Waiting() > 0 })
			s.Functions[stack.Register].Kill9()
			<-done
			if got := s.Bus.Took(); len(got) > 0 {
				t.Fatalf("the bus took %v", got)
			}
			if !s.found("a", 1) {
				t.Error("what was written before the kill is not to be seen")
			}
			resume()
			next(s, r)
			s.eventually("the event comes", func() bool { return len(s.announced("BrokerRegistered")) > 0 })
			if got := s.announced("BrokerRegistered"); len(got) != 1 {
				t.Errorf("one registration is announced as %v", got)
			}
		})
	}
}

// kill -9 at the first, second... write of a registration: nobody sees half of
// it, the broker's retry makes it good, and it is announced in the end.
func TestKilledAtAnyMoment(t *testing.T) {
	s := start(t, nil)
	writes := func() int {
		return s.DynamoDB.Calls("UpdateItem") + s.DynamoDB.Calls("PutItem") + s.DynamoDB.Calls("BatchWriteItem")
	}
	var topics []string
	for i := range 300 {
		topics = append(topics, fmt.Sprintf("topic-%03d", i))
	}
	brokers := make([]object, 6)
	for i := range brokers {
		name := fmt.Sprintf("%s-%d", s.broker, i)
		brokers[i] = s.registration(topics...).with("brokerName", name).with("brokerAddr", fmt.Sprintf("10.0.0.%d:10911", i+1))
		before := writes()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.As(stack.Registrar).Do(t.Context(), "PUT", "/v1/register/broker", brokers[i].json(), "Content-Type", typeJSON)
		}()
		ended := func() bool {
			select {
			case <-done:
				return true
			default:
				return writes() > before+i
			}
		}
		s.eventually("it writes so often, or ends", ended)
		s.Functions[stack.Register].Kill9()
		<-done
	}
	// Who stopped half way stands in the way of the next writer until its token
	// ends, which is after the function's own time: half a minute.
	for i, r := range brokers {
		s.eventually("the retry is taken", func() bool {
			return s.do(stack.Registrar, "PUT", "/v1/register/broker", r.json(), "Content-Type", typeJSON).Status == 200
		})
		for _, topic := range []string{topics[0], topics[len(topics)-1]} {
			a := s.do(stack.Reader, "GET", "/v1/read/route?consistent=true&topic="+topic, nil)
			if !strings.Contains(string(a.Body), r["brokerAddr"].(string)) {
				t.Errorf("the broker killed at its write %d is not in the route of %s", i+1, topic)
			}
		}
	}
	s.eventually("all are announced", func() bool {
		s.tick()
		return len(s.announced("BrokerRegistered")) == len(brokers)
	})
}
