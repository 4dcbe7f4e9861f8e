//go:build linux

package shim

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"signpost/bench/load"
	"signpost/internal/remoting"
)

const (
	// clients is how many there are, each with so many topics. A client asks
	// for all of its topics in a period, and a broker registers once in one
	// (Java: ClientConfig.pollNameServerInterval, BrokerConfig.registerNameServerPeriod).
	clients         = 1000
	topicsPerClient = 10
	period          = 30 * time.Second
	// beatTimeout is what an acting master's group may be silent for
	// (Java: BrokerConfig.brokerNotActiveTimeoutMillis).
	beatTimeout = 10 * time.Second
	// beatsPerPeriod is how often such a broker beats in a period, and asks who
	// is in its group.
	beatsPerPeriod = 30
	// sampling is how many answers go unread for one that is compared in full.
	sampling = 97
)

// traffic is what brokers and clients say of themselves, for as long as it
// takes. It goes on from one run to the next.
type traffic struct {
	fleet load.Fleet
	said  [][]load.Request // by broker, what it says in a period, in order
	turn  []int            // by broker
	asks  []load.Request   // by topic
	asked []int            // by client
	words int              // of all brokers so far
	looks int              // of all clients
	exact bool             // nobody else has its topics
	seen  int
	calm  bool // all is known: no answer of the API has to be waited for
	late  int  // lookups that were, and did not come in time
}

// newTraffic returns that of a fleet; beats makes its brokers masters with
// slaves that may act for them.
func newTraffic(fleet load.Fleet, beats bool) (*traffic, error) {
	t := &traffic{fleet: fleet, exact: true, turn: make([]int, fleet.Brokers), asked: make([]int, clients)}
	for i := range fleet.Topics {
		r, err := load.RouteRequest(fleet.Topic(i))
		if err != nil {
			return nil, err
		}
		t.asks = append(t.asks, r)
	}
	for b := range fleet.Brokers {
		say := registering
		if beats {
			say = beating
		}
		said, err := say(fleet, b)
		if err != nil {
			return nil, err
		}
		t.said = append(t.said, said)
	}
	return t, nil
}

// registering is a period of an ordinary broker.
func registering(fleet load.Fleet, b int) ([]load.Request, error) {
	r, err := load.RegisterRequest(fleet.Broker(b), fleet.Body(b, 0))
	return []load.Request{r}, err
}

// beating is a period of a 5.x master with acting masters: a registration, and
// once a second a beat and the question who is in its group. Every other one
// speaks as brokers do that must get along with older NameServers, which is the
// default (Java: BrokerConfig.compatibleWithOldNameSrv).
func beating(fleet load.Fleet, b int) ([]load.Request, error) {
	broker, group := fleet.Broker(b), memberTopic+fleet.Broker(b).Name
	names := remoting.Fields{
		{Key: "brokerAddr", Value: broker.Addr}, {Key: "brokerId", Value: "0"},
		{Key: "brokerName", Value: broker.Name}, {Key: "clusterName", Value: broker.Cluster},
	}
	timeout := strconv.FormatInt(beatTimeout.Milliseconds(), 10)
	body := withTopic(fleet.Body(b, 0), group)
	register := remoting.Command{
		Code: remoting.RegisterBroker,
		ExtFields: append(names[:len(names):len(names)], remoting.Fields{
			{Key: "bodyCrc32", Value: strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)&0x7fffffff), 10)},
			{Key: "compressed", Value: "false"}, {Key: "enableActingMaster", Value: "true"},
			{Key: "haServerAddr", Value: broker.HAAddr}, {Key: "heartbeatTimeoutMillis", Value: timeout},
		}...),
		Body: body,
	}
	beat := remoting.Command{
		Code:      remoting.BrokerHeartbeat,
		ExtFields: append(names[:len(names):len(names)], remoting.Field{Key: "heartbeatTimeoutMills", Value: timeout}), // the wire's own spelling
	}
	members := remoting.Command{Code: remoting.GetBrokerMemberGroup, ExtFields: names[2:]}
	if b%2 == 0 {
		beat = remoting.Command{Code: remoting.QueryDataVersion, ExtFields: names, Body: dataVersion(body)}
		members = remoting.Command{Code: remoting.GetRouteInfoByTopic, ExtFields: remoting.Fields{{Key: "topic", Value: group}}}
	}
	var all [3]load.Request
	for i, c := range []remoting.Command{register, beat, members} {
		c.Language, c.Version = "JAVA", remoting.V5_3_3
		var err error
		if all[i], err = load.NewRequest(c); err != nil {
			return nil, err
		}
	}
	said := all[:1:1]
	for range beatsPerPeriod {
		said = append(said, all[1], all[2])
	}
	return said, nil
}

// memberTopic is the start of the topic by whose route brokers see their group
// (Java: TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX).
const memberTopic = "rmq_sys_SYNC_BROKER_MEMBER_"

// withTopic is a registration's body with one topic more.
func withTopic(body []byte, name string) []byte {
	const table = `"topicConfigTable":{`
	entry := fmt.Sprintf(`%s%q:{"attributes":{},"order":false,"perm":6,"readQueueNums":1,"topicFilterType":"SINGLE_TAG","topicName":%[2]q,"topicSysFlag":0,"writeQueueNums":1},`, table, name)
	return bytes.Replace(body, []byte(table), []byte(entry), 1)
}

// dataVersion is that of a registration's body.
func dataVersion(body []byte) []byte {
	const mark = `"dataVersion":`
	from := bytes.Index(body, []byte(mark)) + len(mark)
	return body[from : from+bytes.IndexByte(body[from:], '}')+1]
}

// first has each broker register once, as fast as it is answered.
func (t *traffic) first(conns []*load.Conn) *load.Work {
	return &load.Work{
		Conns: conns, InFlight: 1, Limit: len(conns), Check: t.accepted,
		Next: func(broker int) (*load.Request, int) { return &t.said[broker][0], broker },
	}
}

// brokers has them say what they say, at their pace, spread over the period. A
// run begins where the last one ended.
func (t *traffic) brokers(conns []*load.Conn) *load.Work {
	each := len(t.said[0])
	for b := range t.turn {
		if t.turn[b] == 0 {
			t.turn[b] = b * each / len(t.turn)
		}
	}
	from := t.words % len(conns)
	return &load.Work{
		Conns: slices.Concat(conns[from:], conns[:from]), InFlight: 1,
		Check: func(broker int, a load.Answer) error {
			if a.Code == systemError && !t.calm { // its group's route, of which the API has to be asked
				t.late++
				return nil
			}
			return t.accepted(broker, a)
		},
		Rate: float64(each*len(conns)) / period.Seconds(),
		Next: func(place int) (*load.Request, int) {
			t.words++
			broker := (from + place) % len(conns)
			t.turn[broker]++
			return &t.said[broker][t.turn[broker]%each], broker
		},
	}
}

func (t *traffic) accepted(broker int, a load.Answer) error {
	if a.Code != 0 {
		return fmt.Errorf("what %s said: code %d: %q", t.fleet.Broker(broker).Name, a.Code, a.Header)
	}
	return nil
}

// clients has them ask for their topics, spread over the period.
func (t *traffic) clients(conns []*load.Conn) *load.Work {
	from := t.looks % len(conns)
	return &load.Work{
		Conns: slices.Concat(conns[from:], conns[:from]), InFlight: 1,
		Rate: float64(topicsPerClient*len(conns)) / period.Seconds(),
		Next: func(place int) (*load.Request, int) {
			t.looks++
			client := (from + place) % len(conns)
			t.asked[client]++
			n := (client*topicsPerClient + t.asked[client]%topicsPerClient) % len(t.asks)
			return &t.asks[n], n
		},
		Check: func(topic int, a load.Answer) error {
			switch {
			case a.Code == 0:
			case a.Code == systemError && !t.calm:
				t.late++
				return nil
			default:
				return fmt.Errorf("the route of %s: code %d: %q", t.fleet.Topic(topic), a.Code, a.Header)
			}
			t.seen++
			if t.seen%sampling != 1 {
				return nil
			}
			return t.fleet.CheckRoute(topic, a.Body, t.exact)
		},
	}
}
