package wire

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"strconv"

	"signpost/core"
)

// RegistrationForm is how a broker writes the body of its registration.
type RegistrationForm uint8

// The forms of brokers of 4.x and 5.x, as JSON and compressed.
const (
	JSON4 RegistrationForm = iota
	JSON5
	Compact4
	Compact5
)

// Compressed says what the header's compressed field should be. (A broker of
// 5.3.3 says false of Compact5, too.)
func (f RegistrationForm) Compressed() bool { return f == Compact4 || f == Compact5 }

// Version is the version of a broker that writes this form: 4.9.7's or 5.3.3's
// (Java: MQVersion).
func (f RegistrationForm) Version() int32 {
	if f == JSON4 || f == Compact4 {
		return 407
	}
	return 479
}

// AppendRegistration appends the body of a registration as a broker writes it.
// The forms of 4.x have no mappings, and those that are compact no system
// flags.
func AppendRegistration(dst []byte, c core.Content, form RegistrationForm) []byte {
	if form.Compressed() {
		return appendCompact(dst, c, form)
	}
	dst = append(dst, `{"filterServerList":`...)
	dst = appendFilterServers(dst, c.FilterServers)
	dst = append(dst, `,"topicConfigSerializeWrapper":{"dataVersion":`...)
	dst = appendVersionOf(dst, c.DataVersion, form)
	if form == JSON5 {
		dst = append(dst, `,"mappingDataVersion":`...)
		dst = appendVersionOf(dst, core.DataVersion{}, form)
	}
	dst = append(dst, `,"topicConfigTable":{`...)
	for i := range c.Topics {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, c.Topics[i].Name, Plain)
		dst = append(dst, ':')
		dst = appendTopicConfig(dst, &c.Topics[i], form)
	}
	dst = append(dst, '}')
	if form == JSON5 {
		dst = append(dst, `,"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{`...)
		for i, m := range c.Mappings {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, m.Topic, Plain)
			dst = append(dst, ':')
			dst = appendMapping(dst, m, Plain)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}', '}')
}

// appendVersionOf appends a DataVersion, which has no stateVersion in 4.x.
func appendVersionOf(dst []byte, v core.DataVersion, form RegistrationForm) []byte {
	if form == JSON5 || form == Compact5 {
		return AppendDataVersion(dst, v)
	}
	dst = append(dst, `{"counter":`...)
	dst = strconv.AppendInt(dst, v.Counter, 10)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, v.Timestamp, 10)
	return append(dst, '}')
}

// appendFilterServers appends null for nil: Java reads it as such, though its
// brokers always send a list.
func appendFilterServers(dst []byte, servers []string) []byte {
	if servers == nil {
		return append(dst, "null"...)
	}
	return appendStrings(dst, servers, Plain)
}

func appendTopicConfig(dst []byte, t *core.Topic, form RegistrationForm) []byte {
	dst = append(dst, '{')
	if form == JSON5 {
		dst = append(dst, `"attributes":{},`...)
	}
	dst = append(dst, `"order":false,"perm":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.Perm), 10)
	dst = append(dst, `,"readQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.Read), 10)
	dst = append(dst, `,"topicFilterType":"SINGLE_TAG","topicName":`...)
	dst = appendString(dst, t.Name, Plain)
	dst = append(dst, `,"topicSysFlag":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.SysFlag), 10)
	dst = append(dst, `,"writeQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(t.Queues.Write), 10)
	return append(dst, '}')
}

// appendCompact appends the compressed form; see registration.compact.
func appendCompact(dst []byte, c core.Content, form RegistrationForm) []byte {
	plain := appendSection(nil, func(b []byte) []byte { return appendVersionOf(b, c.DataVersion, form) })
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(c.Topics)))
	for i := range c.Topics {
		plain = appendSection(plain, func(b []byte) []byte { return appendTopicLine(b, &c.Topics[i], form) })
	}
	plain = appendSection(plain, func(b []byte) []byte { return appendFilterServers(b, c.FilterServers) })
	if form == Compact5 {
		plain = binary.BigEndian.AppendUint32(plain, uint32(len(c.Mappings)))
		for _, m := range c.Mappings {
			plain = appendSection(plain, func(b []byte) []byte { return appendMapping(b, m, Plain) })
		}
	}
	return deflate(dst, plain)
}

// appendSection appends what write appends, with its length before it.
func appendSection(dst []byte, write func([]byte) []byte) []byte {
	at := len(dst)
	dst = write(append(dst, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendTopicLine appends a topic of the compact form.
func appendTopicLine(dst []byte, t *core.Topic, form RegistrationForm) []byte {
	dst = append(dst, t.Name...)
	for _, n := range [...]int32{t.Queues.Read, t.Queues.Write, t.Queues.Perm} {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	dst = append(dst, " SINGLE_TAG"...)
	if form == Compact5 {
		dst = append(dst, " {}"...)
	}
	return dst
}

// deflate appends b as a zlib stream, at the level that brokers use.
func deflate(dst, b []byte) []byte {
	out := bytes.NewBuffer(dst)
	z, err := zlib.NewWriterLevel(out, zlib.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	z.Write(b) // into memory, which does not fail
	z.Close()
	return out.Bytes()
}
