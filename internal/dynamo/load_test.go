package dynamo

import (
	"testing"
	"time"

	"signpost/core"
)

func TestPartitionUnits(t *testing.T) {
	var s Store
	see := func(after time.Duration, revision core.Revision, sessions, size int) {
		s.load.saw(changeLog{revision: revision, entries: [][]byte{make([]byte, size)}}, sessions, epoch.Add(after))
	}
	see(0, 1000, 10, 500)
	see(900*time.Millisecond, 5000, 10, 500)
	if u := s.PartitionUnits(); u != 0 {
		t.Errorf("%v units, and no second has passed", u)
	}
	see(4*time.Second, 5000, 0, 500) // 4,000 changes in 4 s
	see(10*time.Second, 5600, 10, 2500)
	if u := s.PartitionUnits(); u != 1002 {
		t.Errorf("%v units, want 1000 for changes and 2 for beats", u)
	}
	if u := s.PartitionUnits(); u != 0 {
		t.Errorf("%v units since", u)
	}
	see(20*time.Second, 6600, 10, 2500) // an item of 3 KB
	if u := s.PartitionUnits(); u != 302 {
		t.Errorf("%v units, want 100 changes of 3 each and 2 for beats", u)
	}
	see(30*time.Second, 10, 0, 500) // another table
	see(31*time.Second, 11, 0, 500)
	if u := s.PartitionUnits(); u != 3 {
		t.Errorf("%v units, want 3", u)
	}
}
