package scenario

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signpost/internal/remoting"
)

// request is a request before it has an opaque. Its methods return changed
// copies.
type request struct {
	cmd       remoting.Command
	versioned bool // cmd.Version was set, also to 0
	masks     []Mask
}

// call is a request with the given names and values of header fields. With
// none it has no extFields at all.
func call(code remoting.Code, fields ...string) request {
	r := request{cmd: remoting.Command{Code: code, Language: "JAVA"}}
	for i := 0; i < len(fields); i += 2 {
		r.cmd.ExtFields = append(r.cmd.ExtFields, remoting.Field{Key: fields[i], Value: fields[i+1]})
	}
	return r
}

// body sets the body; an empty one is none.
func (r request) body(b string) request {
	r.cmd.Body = nil
	if b != "" {
		r.cmd.Body = []byte(b)
	}
	return r
}

func (r request) flag(f int32) request { r.cmd.Flag = f; return r }

func (r request) oneway() request { return r.flag(2) }

func (r request) binary() request { r.cmd.Encoding = remoting.EncodingBinary; return r }

func (r request) version(v int32) request { r.cmd.Version, r.versioned = v, true; return r }

func (r request) language(l string) request { r.cmd.Language = l; return r }

func (r request) remark(s string) request { r.cmd.Remark = s; return r }

func (r request) mask(m Mask) request {
	r.masks = append(r.masks[:len(r.masks):len(r.masks)], m)
	return r
}

// without drops header fields.
func (r request) without(keys ...string) request {
	var left remoting.Fields
	for _, f := range r.cmd.ExtFields {
		if !slices.Contains(keys, f.Key) {
			left = append(left, f)
		}
	}
	r.cmd.ExtFields = left
	return r
}

// with adds a header field, in place of one of that name.
func (r request) with(key, value string) request {
	r = r.without(key)
	r.cmd.ExtFields = append(r.cmd.ExtFields, remoting.Field{Key: key, Value: value})
	return r
}

// frame returns the bytes on the wire.
func (r request) frame(opaque, version int32) []byte {
	cmd := r.cmd
	cmd.Opaque = opaque
	if !r.versioned {
		cmd.Version = version
	}
	return remoting.AppendFrame(nil, &cmd)
}

// rawJSON is a frame with a JSON header written by hand.
func rawJSON(header string, body ...byte) []byte { return joinFrame(0, []byte(header), body) }

// rawBinary is a frame with a header in the binary encoding, written by hand:
// the parts before the map, then the map's bytes, preceded by extLen.
func rawBinary(code int16, language byte, version int16, opaque, flag int32, remarkLen int32, remark string, extLen int32, ext string) []byte {
	h := binary.BigEndian.AppendUint16(nil, uint16(code))
	h = append(h, language)
	h = binary.BigEndian.AppendUint16(h, uint16(version))
	h = binary.BigEndian.AppendUint32(h, uint32(opaque))
	h = binary.BigEndian.AppendUint32(h, uint32(flag))
	h = binary.BigEndian.AppendUint32(h, uint32(remarkLen))
	h = append(h, remark...)
	h = binary.BigEndian.AppendUint32(h, uint32(extLen))
	h = append(h, ext...)
	return joinFrame(1, h, nil)
}

// entry is one key and value of a binary header's map.
func entry(key, value string) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(key)))
	b = append(b, key...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return string(append(b, value...))
}

// topic is a TopicConfig.
type topic struct {
	name              string
	read, write, perm int
	sysFlag           int
}

// rw is a topic that can be read and written.
func rw(name string, queues int) topic { return topic{name, queues, queues, 6, 0} }

// registration is what a broker sends with code 103.
type registration struct {
	cluster, name, addr, ha string
	id                      int
	counter, timestamp      int64
	state                   int64
	topics                  []topic
	filters                 []string
	mappings                []mapping
	fields                  []string // further header fields, names and values
}

// mapping is a TopicQueueMappingInfo of a static topic.
type mapping struct {
	topic, broker string
	total, epoch  int
	currIDs       string // members of the map, as 5.x writes them: 0:0,1:1
}

// broker is a registration of cluster c1 with two topics.
func broker(name, addr string, id int) registration {
	host, _, _ := strings.Cut(addr, ":")
	return registration{
		cluster: "c1", name: name, addr: addr, ha: host + ":10912", id: id, counter: 1, timestamp: 1700000000000,
		topics: []topic{rw("orders", 4), rw("payments", 8)}, filters: []string{},
	}
}

// changed returns the registration with a later DataVersion and other topics.
func (r registration) changed(topics ...topic) registration {
	r.counter++
	r.timestamp += 1000
	r.topics = topics
	return r
}

func (r registration) inCluster(c string) registration { r.cluster = c; return r }

func (r registration) having(topics ...topic) registration { r.topics = topics; return r }

func (r registration) field(key, value string) registration {
	r.fields = append(r.fields[:len(r.fields):len(r.fields)], key, value)
	return r
}

// register is the request with the body in the JSON form of a sender's
// release.
func (s *Script) register(r registration) request {
	return r.call().body(r.json(s.is5()))
}

// call is the request without its body.
func (r registration) call() request {
	return call(remoting.RegisterBroker, append([]string{"brokerName", r.name, "brokerAddr", r.addr, "clusterName", r.cluster,
		"haServerAddr", r.ha, "brokerId", strconv.Itoa(r.id), "compressed", "false", "bodyCrc32", "0"}, r.fields...)...)
}

// unregister is the request with which the broker leaves.
func (r registration) unregister() request {
	return call(remoting.UnregisterBroker, "brokerName", r.name, "brokerAddr", r.addr, "clusterName", r.cluster,
		"brokerId", strconv.Itoa(r.id))
}

// queryVersion is the request that asks whether the DataVersion is news.
func (s *Script) queryVersion(r registration) request {
	return call(remoting.QueryDataVersion, "brokerName", r.name, "brokerAddr", r.addr, "clusterName", r.cluster,
		"brokerId", strconv.Itoa(r.id)).body(r.dataVersion(s.is5()))
}

func (r registration) dataVersion(is5 bool) string {
	if is5 {
		return fmt.Sprintf(`{"counter":%d,"stateVersion":%d,"timestamp":%d}`, r.counter, r.state, r.timestamp)
	}
	return fmt.Sprintf(`{"counter":%d,"timestamp":%d}`, r.counter, r.timestamp)
}

// json is the RegisterBrokerBody as JSON.
func (r registration) json(is5 bool) string {
	return fmt.Sprintf(`{"filterServerList":%s,"topicConfigSerializeWrapper":%s}`, r.filterJSON(), r.wrapperJSON(is5))
}

// wrapperJSON is the TopicConfigSerializeWrapper, with 5.x's additions.
func (r registration) wrapperJSON(is5 bool) string {
	var topics []string
	for _, t := range r.topics {
		attributes := ""
		if is5 {
			attributes = `"attributes":{},`
		}
		topics = append(topics, fmt.Sprintf(`%s:{%s"order":false,"perm":%d,"readQueueNums":%d,"topicFilterType":"SINGLE_TAG",`+
			`"topicName":%s,"topicSysFlag":%d,"writeQueueNums":%d}`, quote(t.name), attributes, t.perm, t.read, quote(t.name), t.sysFlag, t.write))
	}
	table := "{" + strings.Join(topics, ",") + "}"
	if !is5 {
		return fmt.Sprintf(`{"dataVersion":%s,"topicConfigTable":%s}`, r.dataVersion(false), table)
	}
	var maps []string
	for _, m := range r.mappings {
		maps = append(maps, quote(m.topic)+":"+m.json())
	}
	return fmt.Sprintf(`{"dataVersion":%s,"mappingDataVersion":%s,"topicConfigTable":%s,"topicQueueMappingDetailMap":{},`+
		`"topicQueueMappingInfoMap":{%s}}`, r.dataVersion(true), r.dataVersion(true), table, strings.Join(maps, ","))
}

func (m mapping) json() string {
	return fmt.Sprintf(`{"bname":%s,"currIdMap":{%s},"dirty":false,"epoch":%d,"scope":"__global__","topic":%s,"totalQueues":%d}`,
		quote(m.broker), m.currIDs, m.epoch, quote(m.topic), m.total)
}

func (r registration) filterJSON() string {
	if r.filters == nil {
		return "null"
	}
	var q []string
	for _, f := range r.filters {
		q = append(q, quote(f))
	}
	return "[" + strings.Join(q, ",") + "]"
}

// quote makes a JSON string, with no more escapes than Java's fastjson makes.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // every string can be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// packed is the RegisterBrokerBody in the compressed form, before deflating.
func (r registration) packed(is5 bool) []byte {
	var b []byte
	add := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	add(r.dataVersion(is5))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.topics)))
	for _, t := range r.topics {
		line := fmt.Sprintf("%s %d %d %d SINGLE_TAG", t.name, t.read, t.write, t.perm)
		if is5 {
			line += " {}"
		}
		add(line)
	}
	add(r.filterJSON())
	if is5 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(r.mappings)))
		for _, m := range r.mappings {
			add(m.json())
		}
	}
	return b
}

// deflate makes one zlib stream of b, level 9 as Java's brokers do.
func deflate(b []byte) string {
	var z bytes.Buffer
	w, err := zlib.NewWriterLevel(&z, zlib.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a Buffer takes everything
	}
	return z.String()
}

// Requests that many scenarios make.

func route(topic string) request { return call(remoting.GetRouteInfoByTopic, "topic", topic) }

func clusters() request { return call(remoting.GetBrokerClusterInfo) }

func allTopics() request { return call(remoting.GetAllTopicListFromNameServer) }

func clusterTopics(cluster string) request {
	return call(remoting.GetTopicsByCluster, "cluster", cluster)
}

func systemTopics() request { return call(remoting.GetSystemTopicListFromNameServer) }

func putKV(namespace, key, value string) request {
	return call(remoting.PutKVConfig, "namespace", namespace, "key", key, "value", value)
}

func getKV(namespace, key string) request {
	return call(remoting.GetKVConfig, "namespace", namespace, "key", key)
}

func wipe(broker string) request {
	return call(remoting.WipeWritePermOfBroker, "brokerName", broker)
}

func memberGroup(cluster, name string) request {
	return call(remoting.GetBrokerMemberGroup, "clusterName", cluster, "brokerName", name)
}

// Conditions that Await steps wait for.

func code(c remoting.Code) func(*remoting.Command) bool {
	return func(cmd *remoting.Command) bool { return cmd.Code == c }
}

func has(text string) func(*remoting.Command) bool {
	return func(cmd *remoting.Command) bool { return bytes.Contains(cmd.Body, []byte(text)) }
}

func lacks(text string) func(*remoting.Command) bool {
	return func(cmd *remoting.Command) bool { return !bytes.Contains(cmd.Body, []byte(text)) }
}
