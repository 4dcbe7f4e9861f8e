package shim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// TestThin: when nothing changes a shim calls the API once a beat, whatever it
// holds and whoever asks.
func TestThin(t *testing.T) {
	const beats = 24
	for _, c := range []struct {
		name            string
		brokers, acting int // in all, and those with beats each second
		clients         int // of ten topics each, once in 30 s
	}{
		{"no brokers, no clients", 0, 0, 0},
		{"10 brokers", 10, 0, 20},
		{"1,000 brokers", 1000, 0, 20},
		{"beats each second", 50, 50, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, 1, func(s *scene) {
				sh := s.shims[0]
				for i := range c.brokers {
					b := newBroker(fmt.Sprintf("b%04d", i), fmt.Sprint("t", i%100))
					b.addr = addrOf(i)
					if b.acting = i < c.acting; b.acting {
						b.timeout = 10 * time.Second
					}
					b.start(s, s.fronts()...)
					defer b.die()
				}
				live := func(seconds int) {
					for second := range seconds {
						for i := range c.acting {
							s.beatsOf(sh, i, second)
						}
						for i := range c.clients * 10 {
							if i%30 != second%30 {
								continue
							}
							if got := sh.say(routeOf(fmt.Sprint("t", i%min(100, c.brokers)))); !strings.HasPrefix(got, "{") {
								t.Errorf("the route of t%d: %s", i%100, got)
							}
						}
						time.Sleep(time.Second)
					}
				}
				live(90) // all is told and all is known
				before, session := sh.link.Calls(""), sh.link.Calls("PUT /v1/register/session")
				live(beats * int(beat/time.Second))
				all, session := sh.link.Calls("")-before, sh.link.Calls("PUT /v1/register/session")-session
				if all != session || session < beats-1 || session > beats+1 { // the ends may fall on a beat
					t.Errorf("%d calls in %d beats, %d of them for the session", all, beats, session)
				}
			})
		})
	}
}

func addrOf(i int) string { return fmt.Sprintf("10.0.%d.%d:10911", i/250, i%250) }

// beatsOf is what a 5.x master with acting masters says and asks each second:
// every other one as brokers do that must get along with older NameServers.
func (s *scene) beatsOf(sh *shim, i, second int) {
	s.t.Helper()
	names := []string{"clusterName", "c", "brokerName", fmt.Sprintf("b%04d", i), "brokerAddr", addrOf(i), "brokerId", "0"}
	if i%2 == 0 {
		a, err := sh.ask(remoting.QueryDataVersion, []byte(`{"counter":1,"timestamp":1700000000001,"stateVersion":0}`), names...)
		if changed, _ := a.ExtFields.Get("changed"); second > 1 && (err != nil || a.Code != remoting.Success || changed != "false") {
			s.t.Errorf("the version of b%04d: code %d, changed %q: %v", i, a.Code, changed, err)
		}
	} else if a, err := sh.ask(remoting.BrokerHeartbeat, nil, append(names, "heartbeatTimeoutMills", "10000")...); err != nil || a.Code != remoting.Success {
		s.t.Errorf("a beat of b%04d: code %d: %v", i, a.Code, err)
	}
	a, err := sh.ask(remoting.GetBrokerMemberGroup, nil, names[:4]...)
	if second > 1 && (err != nil || !strings.Contains(string(a.Body), addrOf(i))) {
		s.t.Errorf("the group of b%04d: %s: %v", i, a.Body, err)
	}
}
