package load

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"

	"signpost/internal/remoting"
)

// The opaques of all requests have ten digits, so that a frame's length does
// not depend on them and one prepared frame serves for all.
const (
	minOpaque    = 1_000_000_000
	opaqueDigits = 10
)

// Request is a frame that is prepared once and sent many times; only its
// opaque changes from time to time.
type Request struct {
	frame  []byte
	opaque int // offset of the opaque's first digit
}

// NewRequest prepares the frame of c, with the header in JSON as Java peers
// send it unless told otherwise. The opaque of c does not matter.
func NewRequest(c remoting.Command) (Request, error) {
	c.Encoding = remoting.EncodingJSON
	c.Opaque = minOpaque
	frame := remoting.AppendFrame(nil, &c)
	header := frame[8 : len(frame)-len(c.Body)]
	mark := []byte(`"opaque":` + strconv.Itoa(minOpaque) + `,"serializeType`)
	at := bytes.LastIndex(header, mark)
	if at < 0 {
		return Request{}, fmt.Errorf("prepare a request of code %d: no opaque in header %q", c.Code, header)
	}
	return Request{frame: frame, opaque: 8 + at + len(`"opaque":`)}, nil
}

// Append appends the frame with the given opaque, which must be at least
// minOpaque, and returns the extended buffer.
func (r *Request) Append(dst []byte, opaque int32) []byte {
	start := len(dst)
	dst = append(dst, r.frame...)
	at := start + r.opaque
	n := uint32(opaque)
	for i := at + opaqueDigits - 1; i >= at; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// Len returns the length of the frame in bytes.
func (r *Request) Len() int { return len(r.frame) }

// RouteRequest asks for the route of topic as a 5.3.3 client does.
func RouteRequest(topic string) (Request, error) {
	return NewRequest(remoting.Command{
		Code:      remoting.GetRouteInfoByTopic,
		Language:  "JAVA",
		Version:   remoting.V5_3_3,
		ExtFields: remoting.Fields{{Key: "topic", Value: topic}},
	})
}

// RegisterRequest registers b with the given body as a 5.3.3 broker does
// (Java: BrokerOuterAPI.registerBrokerAll).
func RegisterRequest(b Broker, body []byte) (Request, error) {
	return NewRequest(remoting.Command{
		Code:     remoting.RegisterBroker,
		Language: "JAVA",
		Version:  remoting.V5_3_3,
		ExtFields: remoting.Fields{
			{Key: "bodyCrc32", Value: strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)&0x7fffffff), 10)},
			{Key: "brokerAddr", Value: b.Addr},
			{Key: "brokerId", Value: "0"},
			{Key: "brokerName", Value: b.Name},
			{Key: "clusterName", Value: b.Cluster},
			{Key: "compressed", Value: "false"},
			{Key: "enableActingMaster", Value: "false"},
			{Key: "haServerAddr", Value: b.HAAddr},
		},
		Body: body,
	})
}

// UnregisterRequest takes b off the NameServer as a broker that stops does.
func UnregisterRequest(b Broker) (Request, error) {
	return NewRequest(remoting.Command{
		Code:     remoting.UnregisterBroker,
		Language: "JAVA",
		Version:  remoting.V5_3_3,
		ExtFields: remoting.Fields{
			{Key: "brokerAddr", Value: b.Addr},
			{Key: "brokerId", Value: "0"},
			{Key: "brokerName", Value: b.Name},
			{Key: "clusterName", Value: b.Cluster},
		},
	})
}
