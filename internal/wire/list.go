package wire

import (
	"fmt"
	"maps"
	"slices"
)

// AppendTopicList appends a list of topics, or of what else Java calls a
// topic: the answer to request codes 206, 224, 304, 311, 312 and 313. An empty
// brokerAddr is none.
func AppendTopicList(dst []byte, names []string, brokerAddr string) []byte {
	dst = append(dst, '{')
	if brokerAddr != "" {
		dst = append(dst, `"brokerAddr":`...)
		dst = appendString(dst, brokerAddr, Plain)
		dst = append(dst, ',')
	}
	dst = append(dst, `"topicList":`...)
	dst = appendStrings(dst, names, Plain)
	return append(dst, '}')
}

// DecodeTopicList reads a list of topics, in its order.
func DecodeTopicList(body []byte) (names []string, brokerAddr string, err error) {
	s := newScanner(body)
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "brokerAddr":
			text, _ := s.text()
			brokerAddr = string(text)
		case "topicList":
			names = stringList(s)
		default:
			s.skip()
		}
	}
	if err := s.end(); err != nil {
		return nil, "", fmt.Errorf("topic list: %w", err)
	}
	return names, brokerAddr, nil
}

// stringList reads a list of strings; its bytes bound it.
func stringList(s *scanner) (list []string) {
	if s.null() {
		return nil
	}
	s.list()
	for s.element() {
		if text, ok := s.text(); ok {
			list = append(list, string(text))
		}
	}
	return list
}

// AppendKVTable appends a KV namespace: the answer to request code 219, and
// the body of the answer to a registration.
func AppendKVTable(dst []byte, table map[string]string) []byte {
	dst = append(dst, `{"table":{`...)
	for i, key := range slices.Sorted(maps.Keys(table)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, key, Plain)
		dst = append(dst, ':')
		dst = appendString(dst, table[key], Plain)
	}
	return append(dst, '}', '}')
}

// DecodeKVTable reads a KV namespace. Keys without a value are left out.
func DecodeKVTable(body []byte) (map[string]string, error) {
	s := newScanner(body)
	table := map[string]string{}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		if string(name) != "table" {
			s.skip()
			continue
		}
		if s.null() {
			continue
		}
		s.object()
		for name, ok := s.member(); ok; name, ok = s.member() {
			key := string(name)
			if text, ok := s.text(); ok {
				table[key] = string(text)
			}
		}
	}
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("KV table: %w", err)
	}
	return table, nil
}
