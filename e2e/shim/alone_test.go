package shim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// alone is what a 5.x broker sends when a topic was made on it: that one.
func (b *broker) alone(topic string) remoting.Command {
	cmd := b.registration()
	content := core.Content{
		DataVersion: core.DataVersion{Counter: b.version + 1},
		Topics:      []core.Topic{{Name: topic, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}}},
	}
	cmd.Body = wire.AppendRegistration(nil, content, wire.JSON5)
	return cmd
}

// TestATopicIsMadeAfterARestart: the shims do not know the broker yet, the API
// does.
func TestATopicIsMadeAfterARestart(t *testing.T) {
	play(t, 2, func(s *scene) {
		b := s.start(newBroker("bb", "t"))
		b.freeze() // it would say everything when its connection is back
		time.Sleep(time.Minute)
		for _, sh := range s.shims {
			sh.kill()
			sh.start()
		}
		for _, f := range s.fronts() {
			c, err := f.dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if a, err := roundTrip(c, registerTimeout, b.alone("made")); err != nil || a.Code != remoting.Success {
				t.Errorf("%s: code %d %s, %v", f.name, a.Code, a.Remark, err)
			}
			if got := f.say(routeOf("made")); !strings.Contains(got, b.addr) {
				t.Errorf("%s, right after: %s", f.name, got)
			}
		}
		s.same(soon, "t", "made")
	})
}
