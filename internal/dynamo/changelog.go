package dynamo

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// The revision's item: a number, and a list of the last changes, one entry
// each, the newest last. Appending needs no condition, so that a thousand
// changes at once do not get in each other's way; what an entry's revision is
// follows from its place.
const (
	logRevision = "n"
	logChanges  = "l"
)

const (
	// logSize is what the entries may take before the older ones are left
	// out, in bytes: the item stays within the 1 KB of one write unit.
	logSize = 940
	// logKept is what may stay then, so that it is not at once too much again.
	logKept = 600
	// logSurely is how many entries stay whatever they take.
	logSurely = 8
	// logLimit is the size at which the entries are left out without
	// asking, if many writers at once never let one of them do it in order.
	logLimit = 64 << 10
	// logBurst bounds the entries that one call appends.
	logBurst = 64
	// entryNames bounds the topic names of one entry, in bytes; with more it
	// only says "many".
	entryNames = 160
)

// changeLog is the revision's item.
type changeLog struct {
	revision core.Revision
	entries  [][]byte // oldest first; the last is of revision
}

func (l changeLog) size() int {
	n := 0
	for _, e := range l.entries {
		n += len(e) + 1
	}
	return n
}

// keeping returns the newest entries that leave room for others.
func (l changeLog) keeping() [][]byte {
	size, from := 0, len(l.entries)
	for from > 0 {
		size += len(l.entries[from-1]) + 1
		if size > logKept && len(l.entries)-from >= logSurely {
			break
		}
		from--
	}
	return l.entries[from:]
}

func entryOf(c core.Change) []byte {
	size := 0
	for _, t := range c.Topics {
		size += len(t) + 2
	}
	// A change without a broker is of one topic's order configuration, which
	// no set could tell.
	if size > entryNames && c.Broker != "" {
		c.Topics, c.Many = nil, true
	}
	e := newEncoder()
	e.change(c)
	return e.b
}

var errLog = errors.New("read item of the revision")

// logOf returns the log that an item holds; the empty one if there is none.
func logOf(it item) (changeLog, error) {
	if len(it) == 0 {
		return changeLog{}, nil
	}
	if err := checkFormat(it); err != nil {
		return changeLog{}, fmt.Errorf("%w: %w", errLog, err)
	}
	n, err := uintOf(it, logRevision)
	if err != nil {
		return changeLog{}, fmt.Errorf("%w: %w", errLog, err)
	}
	l := changeLog{revision: core.Revision(n)}
	list, _ := it[logChanges].(*types.AttributeValueMemberL)
	if list == nil || uint64(len(list.Value)) > n {
		return changeLog{}, fmt.Errorf("%w: %w", errLog, errCorrupt)
	}
	for _, v := range list.Value {
		l.entries = append(l.entries, bytesOf(v))
	}
	return l, nil
}

// since returns the changes after that revision, and whether they are all.
func (l changeLog) since(since core.Revision) ([]core.Change, bool, error) {
	if since >= l.revision {
		return nil, since == l.revision, nil // a later one is from another history
	}
	behind := l.revision - since
	complete := behind <= core.Revision(len(l.entries))
	entries := l.entries[len(l.entries)-int(min(behind, core.Revision(len(l.entries)))):]
	changes := make([]core.Change, len(entries))
	for i, b := range entries {
		d := newDecoder(b)
		changes[i] = d.change()
		changes[i].Revision = l.revision - core.Revision(len(entries)-1-i)
		if err := d.done(); err != nil {
			return nil, false, fmt.Errorf("%w: change %d: %w", errLog, changes[i].Revision, err)
		}
	}
	return changes, complete, nil
}

func entryList(entries [][]byte) types.AttributeValue {
	list := &types.AttributeValueMemberL{Value: make([]types.AttributeValue, len(entries))}
	for i, e := range entries {
		list.Value[i] = blob(slices.Clone(e))
	}
	return list
}
