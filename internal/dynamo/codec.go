package dynamo

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"signpost/core"
)

// errCorrupt says that stored bytes are not what was written.
var errCorrupt = errors.New("stored value is damaged")

// encoder appends values to bytes. A string that was appended before takes
// one byte: addresses, sessions and names come many times in one group.
type encoder struct {
	b    []byte
	seen map[string]uint64
}

// newEncoder knows the strings that its decoder will know too.
func newEncoder(known ...string) *encoder {
	e := &encoder{seen: map[string]uint64{}}
	for _, s := range known {
		e.learn(s)
	}
	return e
}

func (e *encoder) learn(s string) {
	if _, ok := e.seen[s]; !ok {
		e.seen[s] = uint64(len(e.seen)) + 1
	}
}

func (e *encoder) uint(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) int(n int64) { e.b = binary.AppendVarint(e.b, n) }

func (e *encoder) string(s string) {
	if n, ok := e.seen[s]; ok {
		e.uint(n)
		return
	}
	e.uint(0)
	e.plain(s)
	e.learn(s)
}

// plain appends a string that is not expected again.
func (e *encoder) plain(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.uint(0)
		return
	}
	ms := t.UnixMilli()
	e.uint((uint64(ms)<<1 ^ uint64(ms>>63)) + 1)
}

func (e *encoder) strings(list []string) {
	e.uint(uint64(len(list)))
	for _, s := range list {
		e.string(s)
	}
}

// decoder reads what an encoder wrote. After the first fault every call
// returns zero and done tells of it.
type decoder struct {
	b    []byte
	seen []string
	err  error
}

func newDecoder(b []byte, known ...string) *decoder {
	d := &decoder{b: b}
	for _, s := range known {
		d.learn(s)
	}
	return d
}

// learn makes a string known that the encoder knew, once.
func (d *decoder) learn(s string) {
	if !slices.Contains(d.seen, s) {
		d.seen = append(d.seen, s)
	}
}

func (d *decoder) fail() {
	d.b, d.err = nil, errCorrupt
}

// done returns whether everything was read without a fault. Bytes that are
// left are one: what a later release adds has attributes of its own.
func (d *decoder) done() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) int32() int32 {
	n := d.int()
	if int64(int32(n)) != n {
		d.fail()
		return 0
	}
	return int32(n)
}

// count returns how many things follow, of which each takes a byte at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) plain() string {
	n := d.count()
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.fail()
		return make([]byte, n)
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) string() string {
	n := d.uint()
	switch {
	case n == 0:
		s := d.plain()
		d.seen = append(d.seen, s)
		return s
	case n > uint64(len(d.seen)):
		d.fail()
		return ""
	}
	return d.seen[n-1]
}

func (d *decoder) time() time.Time {
	n := d.uint()
	if n == 0 {
		return time.Time{}
	}
	n--
	return fromMillis(int64(n>>1) ^ -int64(n&1))
}

func (d *decoder) strings() []string {
	n := d.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}

// Flags of a change.
const (
	changeReplicas = 1 << iota
	changeMany
)

func (e *encoder) change(c core.Change) {
	var flags uint64
	if c.Replicas {
		flags |= changeReplicas
	}
	if c.Many {
		flags |= changeMany
	}
	e.uint(flags)
	e.string(c.Broker)
	e.strings(c.Topics)
}

func (d *decoder) change() core.Change {
	flags := d.uint()
	return core.Change{Replicas: flags&changeReplicas != 0, Many: flags&changeMany != 0, Broker: d.string(), Topics: d.strings()}
}
