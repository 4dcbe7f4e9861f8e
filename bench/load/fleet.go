package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fleet describes brokers, all masters of one cluster, and what they register.
// Topics are spread evenly: of n names, broker b has t in a row starting at
// b*t, modulo n.
type Fleet struct {
	// Name starts the names of the fleet's brokers and topics; two fleets
	// with different names share neither.
	Name string
	// Brokers is their number, at most 65536.
	Brokers int
	// TopicsPerBroker and Topics are the topics each broker has, and the
	// names there are. Brokers*TopicsPerBroker should be a multiple of Topics
	// so that all topics are on the same number of brokers.
	TopicsPerBroker, Topics int
}

// Broker is one broker of a fleet as it names itself.
type Broker struct{ Name, Cluster, Addr, HAAddr string }

// Cluster is the cluster of all brokers of all fleets.
const Cluster = "DefaultCluster"

// queues is the number of a topic's read and write queues before any change.
const queues = 8

// changed is how many of its topics a broker changes in each new version of
// its topic set, besides the one that it adds.
const changed = 8

// Broker returns broker b of the fleet.
func (f Fleet) Broker(b int) Broker {
	host := fmt.Sprintf("10.1.%d.%d", b>>8&255, b&255)
	return Broker{
		Name:    fmt.Sprintf("%s-b%04d", f.Name, b),
		Cluster: Cluster,
		Addr:    host + ":10911",
		HAAddr:  host + ":10912",
	}
}

// Topic returns topic name t of the fleet. With a fleet's name of three
// letters, 50,000 of them make the 8.3 MB that such a broker's body has.
func (f Fleet) Topic(t int) string { return fmt.Sprintf("%s-t%06d", f.Name, t) }

// Body returns what broker b registers, uncompressed, as a 5.3.3 broker writes
// it (Java: RegisterBrokerBody). Version 0 is the first topic set; each later
// one has another DataVersion, other queue numbers in a few topics, and one
// topic more than version 0.
func (f Fleet) Body(b, version int) []byte {
	dst := make([]byte, 0, 400+170*(f.TopicsPerBroker+1))
	dataVersion := `{"counter":` + strconv.Itoa(version+1) + `,"stateVersion":0,"timestamp":1700000000000}`
	dst = append(dst, `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":`...)
	dst = append(dst, dataVersion...)
	dst = append(dst, `,"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{`...)
	topics := f.TopicsPerBroker
	if version > 0 {
		topics++
	}
	for i := range topics {
		t := b*f.TopicsPerBroker + i
		n := queues
		switch {
		case i == f.TopicsPerBroker: // the added one
			t += version % f.Topics
		case version > 0 && i%max(1, f.TopicsPerBroker/changed) == version%max(1, f.TopicsPerBroker/changed):
			n += 1 + version%7
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTopic(dst, f.Topic(t%f.Topics), n)
	}
	return append(dst, `},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}`...)
}

// appendTopic appends one entry of a topicConfigTable (Java: TopicConfig).
func appendTopic(dst []byte, name string, queues int) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, `":{"attributes":{},"order":false,"perm":6,"readQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(queues), 10)
	dst = append(dst, `,"topicFilterType":"SINGLE_TAG","topicName":"`...)
	dst = append(dst, name...)
	dst = append(dst, `","topicSysFlag":0,"writeQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(queues), 10)
	return append(dst, '}')
}

// owners returns the brokers that have topic t in every version, in order.
func (f Fleet) owners(t int) []int {
	var owners []int
	for g := t; g < f.Brokers*f.TopicsPerBroker; g += f.Topics {
		owners = append(owners, g/f.TopicsPerBroker)
	}
	slices.Sort(owners)
	return slices.Compact(owners)
}

// Route returns the answer to a query for topic t while all brokers are
// registered with version 0: what a 5.3.3 NameServer answers a client of its
// release, up to the order.
func (f Fleet) Route(t int) []byte {
	var bds, qds strings.Builder
	for i, b := range f.owners(t) {
		if i > 0 {
			bds.WriteByte(',')
			qds.WriteByte(',')
		}
		br := f.Broker(b)
		fmt.Fprintf(&bds, `{"brokerAddrs":{"0":"%s"},"brokerName":"%s","cluster":"%s","enableActingMaster":false}`, br.Addr, br.Name, br.Cluster)
		fmt.Fprintf(&qds, `{"brokerName":"%s","perm":6,"readQueueNums":%d,"topicSysFlag":0,"writeQueueNums":%d}`, br.Name, queues, queues)
	}
	return []byte(`{"brokerDatas":[` + bds.String() + `],"filterServerTable":{},"queueDatas":[` + qds.String() + `]}`)
}

// route is what a check reads of an answer.
type route struct {
	BrokerDatas []struct {
		BrokerAddrs map[string]string
		BrokerName  string
		Cluster     string
	}
	QueueDatas []struct {
		BrokerName                                        string
		Perm, ReadQueueNums, TopicSysFlag, WriteQueueNums int
	}
}

// CheckRoute compares the answer to a query for topic t with the fleet. All
// its owners must be in it with their addresses and their queues, whatever the
// number of those. With exact set, the queues must be those of version 0 and
// no other broker may be there.
func (f Fleet) CheckRoute(t int, body []byte, exact bool) error {
	var got route
	if err := json.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("the route of %s: %w: %q", f.Topic(t), err, body)
	}
	addrs := map[string]string{}
	for _, bd := range got.BrokerDatas {
		if bd.Cluster != Cluster {
			return fmt.Errorf("the route of %s has cluster %q", f.Topic(t), bd.Cluster)
		}
		addrs[bd.BrokerName] = bd.BrokerAddrs["0"]
	}
	queueNums := map[string]int{}
	for _, qd := range got.QueueDatas {
		if qd.Perm != 6 || qd.TopicSysFlag != 0 || qd.ReadQueueNums != qd.WriteQueueNums {
			return fmt.Errorf("the route of %s has queues that nobody registered: %+v", f.Topic(t), qd)
		}
		queueNums[qd.BrokerName] = qd.ReadQueueNums
	}
	owners := f.owners(t)
	for _, o := range owners {
		b := f.Broker(o)
		n := queueNums[b.Name]
		if addrs[b.Name] != b.Addr || n < queues || exact && n != queues {
			return fmt.Errorf("the route of %s lacks %s as it registered: %s", f.Topic(t), b.Name, body)
		}
	}
	if exact && (len(addrs) != len(owners) || len(queueNums) != len(owners)) {
		return fmt.Errorf("the route of %s has other brokers than its %d: %s", f.Topic(t), len(owners), body)
	}
	return nil
}
