package wire

import (
	"fmt"

	"signpost/core"
)

// Versions of a sender (Java: MQVersion) at which the body of a registration
// changed.
const (
	versionFilterServers = 37  // V3_0_11: the topic table moved into a member of the body
	versionMapping       = 413 // V5_0_0: the compact form ends with static topic mappings
)

// Limits of a registration unless its Options say otherwise.
const (
	DefaultMaxInflated = 64 << 20
	DefaultMaxTopics   = 200_000
)

// Limits of what a registration holds beside topics. RocketMQ has none; real
// brokers stay far below.
const (
	maxFilterServers = 4096
	maxMappedQueues  = 1 << 20 // in all mappings together
)

// Options say how a registration was sent, and what it may cost.
type Options struct {
	Compressed  bool  // the header's compressed field
	Version     int32 // the sender's, from the request; 0 if it sent none
	MaxInflated int   // bytes that a compressed body may inflate to; 0 is DefaultMaxInflated
	MaxTopics   int   // topics, and mappings of topics; 0 is DefaultMaxTopics
}

// DecodeRegistration reads the body of a registration (request code 103). An
// absent body is an empty topic table (Java: DefaultRequestProcessor).
//
// The form is judged by the bytes, too, and not by what the header says alone:
// a broker of 5.3.3 with compressedRegister deflates its body and says that it
// did not, and who sends no version is taken for older than 3.0.11 by Java,
// which then finds none of its topics.
//
// The error is an ErrDecode, with the member and the reason, or a LimitError.
func DecodeRegistration(body []byte, o Options) (core.Content, error) {
	if o.MaxInflated == 0 {
		o.MaxInflated = DefaultMaxInflated
	}
	if o.MaxTopics == 0 {
		o.MaxTopics = DefaultMaxTopics
	}
	old := o.Version < versionFilterServers
	if len(body) == 0 {
		if old {
			return core.Content{}, nil
		}
		return core.Content{FilterServers: []string{}}, nil
	}
	d := registration{options: o}
	var err error
	if isZlib(body) || o.Compressed && !old {
		err = d.compact(body)
	} else {
		err = d.json(body, old)
	}
	if err != nil {
		return core.Content{}, fmt.Errorf("registration: %w", err)
	}
	return d.content, nil
}

// registration gathers a body's content. As in Java's maps, the last one of a
// name counts.
type registration struct {
	options Options
	content core.Content
	topics  map[string]int32 // name -> index into content.Topics
	mapped  map[string]int32 // topic -> index into content.Mappings
	queues  int              // in all mappings
}

// add takes a topic into the table. False means that there are too many.
func (d *registration) add(t core.Topic) bool {
	if i, ok := d.topics[t.Name]; ok {
		d.content.Topics[i] = t
		return true
	}
	if len(d.content.Topics) == d.options.MaxTopics {
		return false
	}
	d.topics[t.Name] = int32(len(d.content.Topics))
	d.content.Topics = append(d.content.Topics, t)
	return true
}

// expect makes room for n topics.
func (d *registration) expect(n int) {
	n = min(n, d.options.MaxTopics)
	d.topics = make(map[string]int32, n)
	d.content.Topics = make([]core.Topic, 0, n)
}

// json reads the JSON form: a RegisterBrokerBody, or, from an old sender, the
// TopicConfigSerializeWrapper that is one of its members.
func (d *registration) json(body []byte, old bool) error {
	s := newScanner(body)
	wrapped := false
	filters := []string{} // absent is empty
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "topicConfigSerializeWrapper":
			wrapped = true
			d.reset()
			s.object()
			for name, ok := s.member(); ok; name, ok = s.member() {
				d.wrapperMember(s, name)
			}
		case "filterServerList":
			filters = filterServers(s)
		default:
			if old && !wrapped {
				d.wrapperMember(s, name)
			} else {
				s.skip()
			}
		}
	}
	if !old || wrapped {
		d.content.FilterServers = filters
	}
	return s.end()
}

func (d *registration) reset() {
	*d = registration{options: d.options}
}

// wrapperMember reads a member of a TopicConfigSerializeWrapper. What Java
// registers nothing of, or half, when it is null, is refused when it is null.
func (d *registration) wrapperMember(s *scanner, name []byte) {
	switch string(name) {
	case "dataVersion":
		d.content.DataVersion = dataVersion(s)
	case "topicConfigTable":
		d.topicTable(s)
	case "topicQueueMappingInfoMap":
		d.mappingTable(s)
	default:
		s.skip()
	}
}

func (d *registration) topicTable(s *scanner) {
	const usual = 192 // bytes a topic
	d.expect((len(s.b) - s.pos) / usual)
	s.object()
	// The table's keys do not count, only the names in its values (Java:
	// RouteInfoManager.createAndUpdateQueueData).
	for _, ok := s.member(); ok; _, ok = s.member() {
		t, again := topicConfig(s)
		if again || s.err != nil {
			continue
		}
		if !d.add(t) {
			s.limit("topics", d.options.MaxTopics)
		}
	}
}

// newTopic is a topic of which nothing is said (Java: TopicConfig).
func newTopic() core.Topic {
	return core.Topic{Queues: core.Queues{Read: 16, Write: 16, Perm: core.PermReadWrite}}
}

// topicConfig reads a TopicConfig. again means that it is fastjson's reference
// to an object that stands elsewhere in the text.
func topicConfig(s *scanner) (t core.Topic, again bool) {
	t = newTopic()
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "topicName":
			text, _ := s.text()
			t.Name = string(text)
		case "readQueueNums":
			t.Queues.Read = s.int32(t.Queues.Read)
		case "writeQueueNums":
			t.Queues.Write = s.int32(t.Queues.Write)
		case "perm":
			t.Queues.Perm = s.int32(t.Queues.Perm)
		case "topicSysFlag":
			t.Queues.SysFlag = s.int32(t.Queues.SysFlag)
		case "$ref":
			again = true
			s.skip()
		default:
			s.skip()
		}
	}
	if t.Name == "" && !again {
		s.failField("topicName", "is missing")
	}
	return t, again
}

// mappingTable reads the mappings of static topics. The key is the topic that
// a mapping is registered under; null is none at all.
func (d *registration) mappingTable(s *scanner) {
	d.content.Mappings, d.mapped, d.queues = nil, nil, 0
	if s.null() {
		return
	}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		topic := string(name)
		if s.null() {
			continue
		}
		m := mapping(s)
		m.Topic = topic
		d.addMapping(s, m)
	}
}

// addMapping takes a mapping, within the limits.
func (d *registration) addMapping(s *scanner, m *core.Mapping) {
	if d.queues += len(m.Current); d.queues > maxMappedQueues {
		s.limit("mapped queues", maxMappedQueues)
	}
	if s.err != nil {
		return
	}
	if i, ok := d.mapped[m.Topic]; ok {
		d.content.Mappings[i] = m
		return
	}
	if len(d.content.Mappings) == d.options.MaxTopics {
		s.limit("mappings", d.options.MaxTopics)
		return
	}
	if d.mapped == nil {
		d.mapped = map[string]int32{}
	}
	d.mapped[m.Topic] = int32(len(d.content.Mappings))
	d.content.Mappings = append(d.content.Mappings, m)
}

// filterServers reads a list of addresses; null is nil, and nothing else is.
func filterServers(s *scanner) []string {
	if s.null() {
		return nil
	}
	servers := []string{}
	s.list()
	for s.element() {
		if len(servers) == maxFilterServers {
			s.limit("filter servers", maxFilterServers)
			break
		}
		if server, ok := s.text(); ok {
			servers = append(servers, string(server))
		}
	}
	return servers
}

// isZlib says whether b starts as a zlib stream of Java's Deflater does: CMF
// says deflate with a 32 KiB window, and the check bits hold (RFC 1950, 2.2).
// No JSON text starts like that.
func isZlib(b []byte) bool {
	return len(b) >= 2 && b[0] == 0x78 && (uint(b[0])<<8|uint(b[1]))%31 == 0
}
