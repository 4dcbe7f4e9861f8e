package wire

import (
	"cmp"
	"fmt"
	"slices"

	"signpost/core"
)

// Limits of an answer that is read. Real ones stay far below.
const (
	maxBrokers  = 65_536 // in a route or a cluster
	maxReplicas = 1_024  // of a broker
)

// Usual sizes: what has more takes memory to be read.
const (
	usualBrokers  = 8
	usualReplicas = 4
)

// DecodeRoute reads the answer to a route query for that topic, in either form
// and of any server's version. What the server lists in the order of its hash
// tables comes out sorted.
func DecodeRoute(topic string, body []byte) (*core.Route, error) {
	s := newScanner(body)
	r := &core.Route{Topic: topic}
	var mappings map[string]*core.Mapping
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "brokerDatas":
			r.Brokers = brokerDatas(s)
		case "filterServerTable":
			r.Filters = filterServerTable(s)
		case "orderTopicConf":
			var text []byte
			text, r.HasOrderConf = s.text()
			r.OrderConf = string(text)
		case "queueDatas":
			r.Rows = queueDatas(s, topic)
		case "topicQueueMappingByBroker":
			mappings = mappingByBroker(s)
		default:
			s.skip()
		}
	}
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	for i := range r.Rows {
		r.Rows[i].Mapping = mappings[r.Rows[i].Broker]
	}
	slices.SortStableFunc(r.Brokers, func(a, b core.RouteBroker) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(r.Rows, func(a, b core.Row) int { return cmp.Compare(a.Broker, b.Broker) })
	slices.SortStableFunc(r.Filters, func(a, b core.FilterServers) int { return cmp.Compare(a.Addr, b.Addr) })
	return r, nil
}

// DecodeQueueDatas reads the body of a topic's registration (request code
// 217): a TopicRouteData of which only the queues count. They come in the
// order of the body, which is the order in which Java takes them. An absent
// body has none.
func DecodeQueueDatas(topic string, body []byte) ([]core.Row, error) {
	if len(body) == 0 {
		return nil, nil
	}
	s := newScanner(body)
	var rows []core.Row
	if !s.null() {
		s.object()
		for name, ok := s.member(); ok; name, ok = s.member() {
			if string(name) == "queueDatas" {
				rows = queueDatas(s, topic)
			} else {
				s.skip()
			}
		}
	}
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("queue data: %w", err)
	}
	return rows, nil
}

func queueDatas(s *scanner, topic string) []core.Row {
	if s.null() {
		return nil
	}
	var few [usualBrokers]core.Row
	rows := few[:0]
	s.list()
	for s.element() {
		if len(rows) == maxBrokers {
			s.limit("brokers", maxBrokers)
			break
		}
		rows = append(rows, queueData(s, topic))
	}
	return exact(rows)
}

// exact is a copy without room to grow: a gateway keeps thousands of routes.
// What it was gathered in is on the stack, unless there are many.
func exact[T any](gathered []T) []T {
	if len(gathered) == 0 {
		return nil
	}
	kept := make([]T, len(gathered))
	copy(kept, gathered)
	return kept
}

// queueData reads a QueueData. An absent number is 0, unlike in a TopicConfig.
func queueData(s *scanner, topic string) core.Row {
	row := core.Row{Topic: core.Topic{Name: topic}}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "brokerName":
			text, _ := s.text()
			row.Broker = string(text)
		case "perm":
			row.Queues.Perm = s.int32(0)
		case "readQueueNums":
			row.Queues.Read = s.int32(0)
		case "writeQueueNums":
			row.Queues.Write = s.int32(0)
		case "topicSysFlag", "topicSynFlag": // the latter before 4.9.0
			row.Queues.SysFlag = s.int32(row.Queues.SysFlag)
		default:
			s.skip()
		}
	}
	return row
}

func brokerDatas(s *scanner) []core.RouteBroker {
	if s.null() {
		return nil
	}
	var few [usualBrokers]core.RouteBroker
	brokers := few[:0]
	s.list()
	for s.element() {
		if len(brokers) == maxBrokers {
			s.limit("brokers", maxBrokers)
			break
		}
		brokers = append(brokers, brokerData(s))
	}
	return exact(brokers)
}

func brokerData(s *scanner) (b core.RouteBroker) {
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "brokerAddrs":
			b.Addrs = brokerAddrs(s)
		case "brokerName":
			text, _ := s.text()
			b.Name = string(text)
		case "cluster":
			text, _ := s.text()
			b.Cluster = string(text)
		case "enableActingMaster":
			b.EnableActingMaster = s.boolean(false)
		case "zoneName":
			text, _ := s.text()
			b.Zone = string(text)
		default:
			s.skip()
		}
	}
	return b
}

// brokerAddrs reads the addresses of a broker by their ids, sorted by id.
func brokerAddrs(s *scanner) []core.ReplicaAddr {
	if s.null() {
		return nil
	}
	var few [usualReplicas]core.ReplicaAddr
	addrs := few[:0]
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		if len(addrs) == maxReplicas {
			s.limit("replicas", maxReplicas)
			break
		}
		id := s.key64(name)
		text, _ := s.text()
		addrs = append(addrs, core.ReplicaAddr{ID: id, Addr: string(text)})
	}
	slices.SortStableFunc(addrs, func(a, b core.ReplicaAddr) int { return cmp.Compare(a.ID, b.ID) })
	return exact(addrs)
}

func filterServerTable(s *scanner) (table []core.FilterServers) {
	if s.null() {
		return nil
	}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		if len(table) == maxBrokers {
			s.limit("brokers", maxBrokers)
			break
		}
		addr := string(name)
		table = append(table, core.FilterServers{Addr: addr, Servers: filterServers(s)})
	}
	return table
}

// mappingByBroker reads mappings by the broker that they name, too.
func mappingByBroker(s *scanner) map[string]*core.Mapping {
	if s.null() {
		return nil
	}
	table := map[string]*core.Mapping{}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		if len(table) == maxBrokers {
			s.limit("brokers", maxBrokers)
			break
		}
		broker := string(name)
		if s.null() {
			continue
		}
		m := mapping(s)
		m.Broker = broker
		table[broker] = m
	}
	return table
}
