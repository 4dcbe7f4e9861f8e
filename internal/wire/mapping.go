package wire

import (
	"maps"
	"slices"
	"strconv"

	"signpost/core"
)

// globalScope is the scope of a mapping that names none (Java: MixAll.METADATA_SCOPE_GLOBAL).
const globalScope = "__global__"

// mapping reads a TopicQueueMappingInfo. null is as good as absent: Java does
// not write what is null, so its readers see the default.
func mapping(s *scanner) *core.Mapping {
	m := &core.Mapping{Scope: globalScope, Current: map[int32]int32{}}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "bname":
			text, _ := s.text()
			m.Broker = string(text)
		case "currIdMap":
			m.Current = idMap(s)
		case "dirty":
			m.Dirty = s.boolean(false)
		case "epoch":
			m.Epoch = s.int64(0)
		case "scope":
			if text, ok := s.text(); ok && string(text) != globalScope {
				m.Scope = string(text)
			}
		case "topic":
			text, _ := s.text()
			m.Topic = string(text)
		case "totalQueues":
			m.TotalQueues = s.int32(0)
		default:
			s.skip()
		}
	}
	return m
}

func idMap(s *scanner) map[int32]int32 {
	ids := map[int32]int32{}
	if s.null() {
		return ids
	}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		if len(ids) == maxMappedQueues {
			s.limit("mapped queues", maxMappedQueues)
			break
		}
		id := s.key32(name)
		if s.null() {
			s.fail("is null")
		}
		ids[id] = s.int32(0)
	}
	return ids
}

// appendMapping appends a TopicQueueMappingInfo.
func appendMapping(dst []byte, m *core.Mapping, form Form) []byte {
	dst = append(dst, '{')
	start := len(dst)
	if m.Broker != "" {
		dst = append(dst, `"bname":`...)
		dst = appendString(dst, m.Broker, form)
	}
	if m.Current != nil {
		dst = comma(dst, start)
		dst = append(dst, `"currIdMap":{`...)
		for i, id := range slices.Sorted(maps.Keys(m.Current)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendKey(dst, int64(id), form)
			dst = strconv.AppendInt(dst, int64(m.Current[id]), 10)
		}
		dst = append(dst, '}')
	}
	dst = comma(dst, start)
	dst = append(dst, `"dirty":`...)
	dst = strconv.AppendBool(dst, m.Dirty)
	dst = append(dst, `,"epoch":`...)
	dst = appendInt64(dst, m.Epoch, form)
	if m.Scope != "" {
		dst = append(dst, `,"scope":`...)
		dst = appendString(dst, m.Scope, form)
	}
	if m.Topic != "" {
		dst = append(dst, `,"topic":`...)
		dst = appendString(dst, m.Topic, form)
	}
	dst = append(dst, `,"totalQueues":`...)
	dst = strconv.AppendInt(dst, int64(m.TotalQueues), 10)
	return append(dst, '}')
}
