package wire

import (
	"fmt"
	"strconv"

	"signpost/core"
)

// AppendDataVersion appends a DataVersion as 5.x writes it. A broker of 4.x
// does not look at stateVersion.
func AppendDataVersion(dst []byte, v core.DataVersion) []byte {
	dst = append(dst, `{"counter":`...)
	dst = strconv.AppendInt(dst, v.Counter, 10)
	dst = append(dst, `,"stateVersion":`...)
	dst = strconv.AppendInt(dst, v.StateVersion, 10)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, v.Timestamp, 10)
	return append(dst, '}')
}

// DecodeDataVersion reads a DataVersion; members that are absent are 0. An
// empty body is an error: what it means is the request's matter.
func DecodeDataVersion(body []byte) (core.DataVersion, error) {
	s := newScanner(body)
	v := dataVersion(s)
	if err := s.end(); err != nil {
		return core.DataVersion{}, fmt.Errorf("data version: %w", err)
	}
	return v, nil
}

func dataVersion(s *scanner) (v core.DataVersion) {
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "counter":
			v.Counter = s.int64(0)
		case "stateVersion":
			v.StateVersion = s.int64(0)
		case "timestamp":
			v.Timestamp = s.int64(0)
		default:
			s.skip()
		}
	}
	return v
}
