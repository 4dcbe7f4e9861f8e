package api

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"signpost/core"
	"signpost/internal/wire"
)

// maxBody bounds what a Body inflates to: it was made here, of what a broker
// was allowed to say.
const maxBody = 2 * wire.DefaultMaxInflated

// flushAt is how much text of a body there is before it is compressed.
const flushAt = 32 << 10

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// NewBody returns the content of a registration as it is sent. The same content
// makes the same body, in whatever order it comes: so the API knows what it
// heard already through another gateway. Whole is not kept, for a split
// registration is not marked on the wire.
func NewBody(c core.Content) (Body, error) {
	topics := slices.SortedFunc(slices.Values(c.Topics), func(a, b core.Topic) int { return cmp.Compare(a.Name, b.Name) })
	mappings := slices.SortedFunc(slices.Values(c.Mappings), func(a, b *core.Mapping) int { return cmp.Compare(a.Topic, b.Topic) })
	for i := range topics {
		if !utf8.ValidString(topics[i].Name) {
			return Body{}, &core.FieldError{Field: "topicName", Reason: "is not UTF-8"}
		}
	}
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	var out bytes.Buffer
	z.Reset(&out)

	var text []byte
	if c.FilterServers != nil { // first, so that it is read without the rest
		text = append(append(text, `,"filterServerList":`...), marshal(c.FilterServers)...)
	}
	text = append(text, `,"dataVersion":`...)
	text = wire.AppendDataVersion(text, c.DataVersion)
	text = append(text, `,"topicConfigTable":{`...)
	for i := range topics {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendTopic(text, &topics[i])
		if len(text) > flushAt {
			z.Write(text) // into memory, which does not fail
			text = text[:0]
		}
	}
	text = append(text, '}')
	if len(mappings) > 0 {
		text = appendMappings(text, mappings)
	}
	z.Write(append(text, '}'))
	z.Close()
	return Body{gzipped: bytes.Clone(out.Bytes())}, nil
}

// appendTopic appends a member of topicConfigTable.
func appendTopic(dst []byte, t *core.Topic) []byte {
	dst = appendString(dst, t.Name)
	dst = append(dst, `:{"topicName":`...)
	dst = appendString(dst, t.Name)
	dst = append(dst, `,"readQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.Read), 10)
	dst = append(dst, `,"writeQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.Write), 10)
	dst = append(dst, `,"perm":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.Perm), 10)
	dst = append(dst, `,"topicSysFlag":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.SysFlag), 10)
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	plain := func(c byte) bool { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' }
	for i := range len(s) {
		if !plain(s[i]) {
			return append(dst, marshal(s)...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// mappingJSON is a TopicQueueMappingInfo.
type mappingJSON struct {
	Topic       string          `json:"topic"`
	Broker      string          `json:"bname"`
	Scope       string          `json:"scope"`
	TotalQueues int32           `json:"totalQueues"`
	Epoch       int64           `json:"epoch"`
	Dirty       bool            `json:"dirty"`
	Current     map[int32]int32 `json:"currIdMap,omitempty"`
}

func appendMappings(dst []byte, mappings []*core.Mapping) []byte {
	table := make(map[string]mappingJSON, len(mappings))
	for _, m := range mappings {
		table[m.Topic] = mappingJSON(*m)
	}
	return append(append(dst, `,"topicQueueMappingInfoMap":`...), marshal(table)...)
}

// Content returns what is in the body, its topics sorted.
func (b Body) Content() (core.Content, error) {
	text, err := b.text()
	if err != nil {
		return core.Content{}, err
	}
	text[0] = '{' // for the comma
	c, err := wire.DecodeRegistration(text, wire.Options{})
	if err != nil {
		return core.Content{}, fmt.Errorf("content of a registration: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	for _, want := range []any{json.Delim('{'), "filterServerList"} {
		if got, err := d.Token(); err != nil || got != want {
			return c, err
		}
	}
	if err := d.Decode(&c.FilterServers); err != nil {
		return core.Content{}, fmt.Errorf("content of a registration: filter servers: %w", err)
	}
	return c, nil
}

// text is the end of the JSON object of a registration, from the comma before
// the first member in it.
func (b Body) text() ([]byte, error) {
	if len(b.gzipped) == 0 {
		return nil, errors.New("content of a registration: there is none")
	}
	text, err := inflated(b.gzipped, maxBody)
	switch {
	case err != nil:
		return nil, fmt.Errorf("content of a registration: %w", err)
	case len(text) == 0:
		return nil, errors.New("content of a registration: it is empty")
	}
	return text, nil
}

// inflater inflates one thing after the other: each takes 40 kB else.
type inflater struct {
	src bytes.Reader
	z   gzip.Reader
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflated inflates b to at most so many bytes.
func inflated(b []byte, most int) ([]byte, error) {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.src.Reset(b)
	defer f.src.Reset(nil)
	if err := f.z.Reset(&f.src); err != nil {
		return nil, fmt.Errorf("inflate it: %w", err)
	}
	return readAll(&f.z, most)
}

// gzipped compresses b.
func gzipped(b []byte) []byte {
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	z.Write(b) // into memory, which does not fail
	z.Close()
	return out.Bytes()
}
