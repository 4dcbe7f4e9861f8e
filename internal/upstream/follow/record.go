package follow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"signpost/core"
	"signpost/internal/wire"
)

// A record is what one key of the file holds: the version of its kind, its
// content, and a checksum over key and content, since bbolt has none for its
// data pages.

const (
	recordVersion = 1
	sumSize       = 4
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errRecord  = errors.New("damaged record")
)

// seal returns a record of the content that append adds.
func seal(key string, add func([]byte) []byte) []byte {
	content := add([]byte{recordVersion})
	return binary.LittleEndian.AppendUint32(content, checksum([]byte(key), content))
}

func checksum(key, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, content)
}

// unseal returns the content of a record, which is a part of it.
func unseal(key, record []byte) ([]byte, error) {
	if len(record) < 1+sumSize {
		return nil, fmt.Errorf("%w: it has %d bytes", errRecord, len(record))
	}
	content, sum := record[:len(record)-sumSize], record[len(record)-sumSize:]
	if checksum(key, content) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: its checksum differs", errRecord)
	}
	if content[0] != recordVersion {
		return nil, fmt.Errorf("%w: version %d, this program reads %d", errRecord, content[0], recordVersion)
	}
	return content[1:], nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutText returns the text at the begin of b, and what is behind it.
func cutText(b []byte) (text string, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, fmt.Errorf("%w: it ends too early", errRecord)
	}
	b = b[size:]
	return string(b[:n]), b[n:], nil
}

// A route's record has its ETag, and the route as the API told it.

func routeRecord(topic, etag string, r *core.Route) []byte {
	return seal(topic, func(b []byte) []byte { return wire.AppendRoute(appendText(b, etag), r, wire.Standard) })
}

func readRoute(topic, record []byte) (etag string, r *core.Route, err error) {
	content, err := unseal(topic, record)
	if err != nil {
		return "", nil, err
	}
	etag, body, err := cutText(content)
	if err != nil {
		return "", nil, err
	}
	if r, err = wire.DecodeRoute(string(topic), body); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	if len(r.Brokers) == 0 || !askable(r.Topic) {
		return "", nil, fmt.Errorf("%w: it is no route", errRecord)
	}
	return etag, share(r, nil), nil
}

// The order configuration's record has its topics and their values, and before
// them whether there is any.

func orderRecord(table map[string]string) []byte {
	return seal(orderKey, func(b []byte) []byte {
		if table == nil {
			return append(b, 0)
		}
		b = append(b, 1)
		for _, key := range slices.Sorted(maps.Keys(table)) {
			b = appendText(appendText(b, key), table[key])
		}
		return b
	})
}

func readOrder(record []byte) (map[string]string, error) {
	content, err := unseal([]byte(orderKey), record)
	if err != nil {
		return nil, err
	}
	if len(content) == 0 || content[0] > 1 || content[0] == 0 && len(content) > 1 {
		return nil, fmt.Errorf("%w: it is no order configuration", errRecord)
	}
	if content[0] == 0 {
		return nil, nil
	}
	table := map[string]string{}
	for rest := content[1:]; len(rest) > 0; {
		var key, value string
		if key, rest, err = cutText(rest); err != nil {
			return nil, err
		}
		if value, rest, err = cutText(rest); err != nil {
			return nil, err
		}
		table[key] = value
	}
	return table, nil
}

// The marks' record says up to which revision the file knows, and when that was
// known to be right, in milliseconds since 1970.

func marksRecord(m marks) []byte {
	return seal(marksKey, func(b []byte) []byte {
		return binary.AppendVarint(binary.AppendUvarint(b, uint64(m.revision)), m.right)
	})
}

func readMarks(record []byte) (m marks, err error) {
	content, err := unseal([]byte(marksKey), record)
	if err != nil {
		return marks{}, err
	}
	revision, n := binary.Uvarint(content)
	if n <= 0 {
		return marks{}, fmt.Errorf("%w: it has no revision", errRecord)
	}
	right, size := binary.Varint(content[n:])
	if size <= 0 || n+size != len(content) {
		return marks{}, fmt.Errorf("%w: it has no time", errRecord)
	}
	return marks{core.Revision(revision), right}, nil
}
