package follow_test

import (
	"context"
	"testing"
	"time"

	"signpost/core"
)

// What is answered says up to where it is right: to what was followed, and what
// could not be asked for again, to when it was answered.
func TestWhatIsFoundSaysUpToWhereItIsRight(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		first := c.register(other, "a", 0, "T", "U")
		s := start(t, c)
		pass(time.Second)
		want := func(what, topic string, want core.Revision) {
			t.Helper()
			found, err := s.Route(context.Background(), time.Now(), topic)
			if err != nil || found.Route == nil || found.Revision != want {
				t.Errorf("%s: %s is right up to %d, not %d: %v", what, topic, found.Revision, want, err)
			}
		}
		want("asked for", "T", first)
		want("asked for", "U", first)
		second := c.register(other, "z", 0, "Z")
		pass(6 * time.Second)
		want("another topic changed", "T", second)
		third := c.register(other, "b", 0, "T", "V")
		c.set(func() {
			c.fault = func(_ context.Context, call string) (bool, error) {
				if call == "routes" {
					return false, errDown
				}
				return false, nil
			}
		})
		pass(6 * time.Second)
		want("changed, and not to be asked for", "T", first)
		want("not changed", "U", third)
		c.set(func() { c.fault = nil })
		pass(6 * time.Second)
		want("asked for again", "T", third)
	})
}
