package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"signpost/core"
)

// compact reads the compact form, one zlib stream over these, every number
// being 32 bits, big endian (Java: RegisterBrokerBody.decode):
//
//	length, DataVersion in JSON
//	number of topics; for each: length, "name read write perm filter[ attributes]"
//	length, list of filter servers in JSON
//	from 5.0.0 on: number of mappings; for each: length, TopicQueueMappingInfo in JSON
//
// A topic's system flag is not in it, and becomes 0.
func (d *registration) compact(body []byte) error {
	f := newInflater(body, d.options.MaxInflated)
	defer f.release()

	if s := f.scan("dataVersion"); s != nil {
		d.content.DataVersion = dataVersion(s)
		f.done("dataVersion", s)
	}
	d.compactTopics(f)
	if s := f.scan("filterServerList"); s != nil {
		d.content.FilterServers = filterServers(s)
		if err := s.end(); errors.Is(err, ErrTooLarge) {
			f.done("filterServerList", s)
		} else if err != nil {
			d.content.FilterServers = []string{} // Java logs, and goes on without
		}
	}
	if d.options.Version >= versionMapping {
		d.compactMappings(f)
	}
	f.finish()
	return f.err
}

// scan starts a scanner on the next section; nil after an error.
func (f *inflater) scan(name string) *scanner {
	text := f.section(name)
	if f.err != nil {
		return nil
	}
	return newScanner(text)
}

// done takes over a section's error.
func (f *inflater) done(name string, s *scanner) {
	if err := s.end(); err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (d *registration) compactTopics(f *inflater) {
	const unasked = 4096 // topics that the number alone gets memory for
	n := f.count("topics", d.options.MaxTopics)
	d.expect(min(n, unasked))
	for i := 0; i < n && f.err == nil; i++ {
		line := f.section("topicConfigTable")
		if f.err != nil {
			return
		}
		t, err := parseTopicLine(line)
		if err != nil {
			f.err = fmt.Errorf("%w: topic %d of %d: %w", ErrDecode, i+1, n, err)
			return
		}
		d.add(t) // within the limit, as n is
	}
}

// parseTopicLine reads a topic of the compact form (Java: TopicConfig.decode).
// What comes after the fifth token, and which filter type that is, does not
// matter here.
func parseTopicLine(line []byte) (core.Topic, error) {
	var tokens [5][]byte
	rest, more := line, true
	for i := range tokens {
		if !more {
			return core.Topic{}, &core.FieldError{Field: "topicConfigTable", Reason: fmt.Sprintf("a line has %d tokens, not 5 or more", i)}
		}
		tokens[i], rest, more = bytes.Cut(rest, []byte{' '})
	}
	if len(tokens[0]) == 0 || !utf8.Valid(tokens[0]) {
		return core.Topic{}, &core.FieldError{Field: "topicName", Reason: "is missing or not UTF-8"}
	}
	t := core.Topic{}
	for i, n := range []*int32{&t.Queues.Read, &t.Queues.Write, &t.Queues.Perm} {
		var ok bool
		if *n, ok = parseInt32(tokens[i+1]); !ok {
			return core.Topic{}, &core.FieldError{Field: [...]string{"readQueueNums", "writeQueueNums", "perm"}[i], Reason: "is not a number of 32 bits"}
		}
	}
	t.Name = string(tokens[0])
	return t, nil
}

// parseInt32 reads a whole number.
func parseInt32(b []byte) (int32, bool) {
	const sure = 9 // digits that always fit
	if len(b) == 0 || len(b) > sure {
		n, err := strconv.ParseInt(string(b), 10, 32)
		return int32(n), err == nil
	}
	n := int32(0)
	for _, c := range b {
		if c -= '0'; c > 9 {
			n, err := strconv.ParseInt(string(b), 10, 32)
			return int32(n), err == nil
		}
		n = n*10 + int32(c)
	}
	return n, true
}

func (d *registration) compactMappings(f *inflater) {
	n := f.count("mappings", d.options.MaxTopics)
	for i := 0; i < n && f.err == nil; i++ {
		s := f.scan("topicQueueMappingInfoMap")
		if s == nil {
			return
		}
		m := mapping(s)
		if m.Topic == "" {
			s.failField("topic", "is missing")
		}
		d.addMapping(s, m)
		f.done("topicQueueMappingInfoMap", s)
	}
}
