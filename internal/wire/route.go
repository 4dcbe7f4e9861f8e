package wire

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"sync"

	"signpost/core"
)

// keepScratch is the largest buffer for the next route, in bytes.
const keepScratch = 64 << 10

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Route returns the answer to a route query (request code 105) in that form.
// It is shared by all who ask for the route: it must not be modified.
func Route(r *core.Route, form Form) []byte {
	return r.Encoded(core.RouteForm(form), func(r *core.Route) []byte {
		b := scratch.Get().(*[]byte)
		*b = AppendRoute((*b)[:0], r, form)
		answer := bytes.Clone(*b) // without room to spare
		if cap(*b) <= keepScratch {
			scratch.Put(b)
		}
		return answer
	})
}

// AppendRoute appends a route as a TopicRouteData of 5.x, in the order in which
// the route has it.
func AppendRoute(dst []byte, r *core.Route, form Form) []byte {
	dst = append(dst, `{"brokerDatas":[`...)
	for i := range r.Brokers {
		b := &r.Brokers[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"brokerAddrs":{`...)
		for j, a := range b.Addrs {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendKey(dst, a.ID, form)
			dst = appendString(dst, a.Addr, form)
		}
		dst = appendBrokerEnd(dst, b.Name, b.Cluster, b.EnableActingMaster, b.Zone, form)
	}
	dst = append(dst, `],"filterServerTable":{`...)
	for i, f := range r.Filters {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, f.Addr, form)
		dst = append(dst, ':')
		dst = appendStrings(dst, f.Servers, form)
	}
	dst = append(dst, '}')
	if r.HasOrderConf {
		dst = append(dst, `,"orderTopicConf":`...)
		dst = appendString(dst, r.OrderConf, form)
	}
	dst = append(dst, `,"queueDatas":[`...)
	for i := range r.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQueueData(dst, r.Rows[i].Broker, r.Rows[i].Queues, form)
	}
	dst = append(dst, ']')
	dst = appendMappings(dst, r.Rows, form)
	return append(dst, '}')
}

// appendBrokerEnd appends what comes after the addresses of a BrokerData.
func appendBrokerEnd(dst []byte, name, cluster string, actingMaster bool, zone string, form Form) []byte {
	dst = append(dst, `},"brokerName":`...)
	dst = appendString(dst, name, form)
	dst = append(dst, `,"cluster":`...)
	dst = appendString(dst, cluster, form)
	dst = append(dst, `,"enableActingMaster":`...)
	dst = strconv.AppendBool(dst, actingMaster)
	if zone != "" {
		dst = append(dst, `,"zoneName":`...)
		dst = appendString(dst, zone, form)
	}
	return append(dst, '}')
}

// appendQueueData appends a QueueData. Clients before 4.9.0 call the system
// flag topicSynFlag; all that read the Plain form find the name they know.
func appendQueueData(dst []byte, broker string, q core.Queues, form Form) []byte {
	dst = append(dst, `{"brokerName":`...)
	dst = appendString(dst, broker, form)
	dst = append(dst, `,"perm":`...)
	dst = strconv.AppendInt(dst, int64(q.Perm), 10)
	dst = append(dst, `,"readQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(q.Read), 10)
	if form == Plain {
		dst = append(dst, `,"topicSynFlag":`...)
		dst = strconv.AppendInt(dst, int64(q.SysFlag), 10)
	}
	dst = append(dst, `,"topicSysFlag":`...)
	dst = strconv.AppendInt(dst, int64(q.SysFlag), 10)
	dst = append(dst, `,"writeQueueNums":`...)
	dst = strconv.AppendInt(dst, int64(q.Write), 10)
	return append(dst, '}')
}

// appendMappings appends topicQueueMappingByBroker if a row has a mapping. The
// broker that the mapping names is its key, as in Java; should two rows name
// the same one, the first counts.
func appendMappings(dst []byte, rows []core.Row, form Form) []byte {
	var mappings []*core.Mapping
	for i := range rows {
		if rows[i].Mapping != nil {
			mappings = append(mappings, rows[i].Mapping)
		}
	}
	if mappings == nil {
		return dst
	}
	slices.SortStableFunc(mappings, func(a, b *core.Mapping) int { return cmp.Compare(a.Broker, b.Broker) })
	mappings = slices.CompactFunc(mappings, func(a, b *core.Mapping) bool { return a.Broker == b.Broker })
	dst = append(dst, `,"topicQueueMappingByBroker":{`...)
	for i, m := range mappings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.Broker, form)
		dst = append(dst, ':')
		dst = appendMapping(dst, m, form)
	}
	return append(dst, '}')
}
