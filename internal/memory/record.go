package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"
)

// A record is what one key of the file holds: a version byte of its kind, the
// fields in order (numbers as varints, texts and lists after their length),
// and a checksum of key and content, since bbolt has none for its data pages.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errRecord is the cause of every failure to read a record.
var errRecord = errors.New("damaged record")

const sumSize = 4

func checksum(key, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, content)
}

// seal returns the content with its checksum behind it.
func seal(key string, content []byte) []byte {
	return binary.LittleEndian.AppendUint32(content, checksum([]byte(key), content))
}

// unseal returns the content of a sealed record, which is a part of it.
func unseal(key, record []byte) ([]byte, error) {
	if len(record) < sumSize {
		return nil, fmt.Errorf("%w: %d bytes long", errRecord, len(record))
	}
	content, sum := record[:len(record)-sumSize], record[len(record)-sumSize:]
	if checksum(key, content) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: the checksum differs", errRecord)
	}
	return content, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, texts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, s := range texts {
		b = appendText(b, s)
	}
	return b
}

// appendTime writes 0 for the zero time, or else 1 more than the nanoseconds,
// and the seconds since 1970.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(binary.AppendUvarint(b, uint64(t.Nanosecond())+1), t.Unix())
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decoder reads a record's fields in order. After the first fault everything
// reads as zero, and done tells.
type decoder struct {
	version byte
	rest    []byte
	fault   error
}

// decode starts to read content, which must be of one of the versions from 1
// to newest.
func decode(content []byte, newest byte) *decoder {
	d := &decoder{rest: content}
	if d.version = d.byte(); d.fault == nil && (d.version < 1 || d.version > newest) {
		d.fail("version %d, this program reads 1 to %d", d.version, newest)
	}
	return d
}

func (d *decoder) fail(format string, args ...any) {
	if d.fault == nil {
		d.fault = fmt.Errorf("%w: %s", errRecord, fmt.Sprintf(format, args...))
	}
	d.rest = nil
}

// done says whether all was read, and all of it was right.
func (d *decoder) done() error {
	if len(d.rest) > 0 {
		d.fail("%d bytes left over", len(d.rest))
	}
	return d.fault
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("ends too early")
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail("%d as yes or no", b)
	}
	return b == 1
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("ends in a number, or has one too large")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail("ends in a number, or has one too large")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int32() int32 {
	v := d.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.fail("%d in 32 bits", v)
		return 0
	}
	return int32(v)
}

// count reads the length of a list whose items take at least size bytes each,
// and believes it only if that many bytes are there.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/size) {
		d.fail("%d items in %d bytes", n, len(d.rest))
		return 0
	}
	return int(n)
}

// bytes returns a text as part of the record.
func (d *decoder) bytes() []byte {
	n := d.count(1)
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() string { return string(d.bytes()) }

// texts returns nil for an empty list.
func (d *decoder) texts() []string {
	return list(d, 1, d.text)
}

func (d *decoder) time() time.Time {
	n := d.uvarint()
	if n == 0 {
		return time.Time{}
	}
	if n > uint64(time.Second) {
		d.fail("%d nanoseconds", n-1)
		return time.Time{}
	}
	return time.Unix(d.varint(), int64(n-1)).UTC()
}

// list reads a list of items of at least size bytes each; nil if it is empty.
func list[T any](d *decoder, size int, item func() T) []T {
	n := d.count(size)
	if n == 0 {
		return nil
	}
	items := make([]T, 0, n)
	for range n {
		items = append(items, item())
		if d.fault != nil {
			return nil
		}
	}
	return slices.Clip(items)
}
