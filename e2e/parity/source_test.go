package parity

import (
	"testing"

	"signpost/internal/wire"
)

func TestSourceIsGoWithoutWhatIsZero(t *testing.T) {
	got := Source([]Step{
		Register{Broker: 1, Form: wire.Compact5, Acting: true, Topics: []Topic{{Perm: 6}, {Name: 2}}, Filters: []int{1, 0}},
		Register{Filters: []int{}},
		Close{},
		PutKV{Value: "a\"b"},
	})
	want := `Register{Broker: 1, Form: wire.Compact5, Acting: true, Topics: []Topic{{Perm: 6}, {Name: 2}}, Filters: []int{1, 0}},
Register{},
Close{},
PutKV{Value: "a\"b"},
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
