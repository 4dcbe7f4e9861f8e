package dynamo

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// A group's item. What a heartbeat compares or moves are attributes, so that
// one conditional update does it; the rest is one short value, so that a group
// of three replicas, each held by three leases, with a full outbox stays
// within 1 KB, which is what one write unit pays for.
const (
	groupCluster  = "c"
	groupReplicas = "r" // map from id to a map of the following
	groupRest     = "b"

	replicaAddr    = "a"
	replicaDigest  = "g" // absent: to be heard in full
	replicaVersion = "d" // the broker's DataVersion
	replicaSaid    = "s"
	replicaTimeout = "t"
	replicaDirect  = "l" // its direct leases: map from front to a map of the following

	leaseSaid     = "s"
	leaseDeadline = "u" // its last moment
)

// frontPrefix goes before a front where that is a name in a map, which cannot
// be empty.
const frontPrefix = "f"

// groupKept is how long the item of a group that is gone stays at least, were
// there no sweeper to remove it.
const groupKept = 30 * 24 * time.Hour

// groupItem returns g's attributes but its key, its version and its expiry.
func groupItem(g core.Group) (item, error) {
	replicas := make(item, len(g.Replicas))
	known := []string{g.Name, g.Cluster}
	for _, r := range g.Replicas {
		known = append(known, r.Addr)
		replicas[strconv.FormatInt(r.ID, 10)] = &types.AttributeValueMemberM{Value: replicaAttributes(r)}
	}
	e := newEncoder(append(known, eventKinds...)...)
	e.uint(uint64(g.Override))
	for _, t := range [...]time.Time{g.Said, g.Deleted, g.Overridden, g.Gone} {
		e.time(t)
	}
	e.string(g.Writer.ID)
	e.time(g.Writer.Until)
	e.change(g.Intent)
	e.uint(uint64(g.Intent.Revision))
	e.int(g.Dropped)
	e.string(g.Refused)
	e.uint(uint64(len(g.Replicas)))
	for _, r := range g.Replicas {
		e.replica(r)
	}
	e.uint(uint64(len(g.Outbox)))
	for _, event := range g.Outbox {
		e.event(event)
	}
	if err := checkSize("brokerName", len(e.b)+300*len(g.Replicas)); err != nil {
		return nil, err
	}
	return item{
		formatAttr:    number(format),
		groupCluster:  text(g.Cluster),
		groupReplicas: &types.AttributeValueMemberM{Value: replicas},
		groupRest:     blob(e.b),
	}, nil
}

func replicaAttributes(r core.Replica) item {
	it := item{
		replicaAddr:    text(r.Addr),
		replicaVersion: blob(dataVersion(r.DataVersion)),
		replicaSaid:    moment(r.Said),
		replicaTimeout: number(r.Timeout.Milliseconds()),
	}
	if r.Digest != 0 {
		it[replicaDigest] = blob(digest(r.Digest))
	}
	direct := item{}
	for _, l := range r.Leases {
		if l.Session == "" {
			direct[frontPrefix+l.Front] = &types.AttributeValueMemberM{Value: item{
				leaseSaid:     moment(l.Said),
				leaseDeadline: number(l.Said.UnixMilli() + r.Timeout.Milliseconds()),
			}}
		}
	}
	if len(direct) > 0 {
		it[replicaDirect] = &types.AttributeValueMemberM{Value: direct}
	}
	return it
}

func digest(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func dataVersion(v core.DataVersion) []byte {
	var e encoder
	e.int(v.StateVersion)
	e.int(v.Timestamp)
	e.int(v.Counter)
	return e.b
}

// replica appends what is in no attribute of its own.
func (e *encoder) replica(r core.Replica) {
	e.string(r.HAAddr)
	e.string(r.Zone)
	e.uint(uint64(r.ActingMaster))
	e.strings(r.FilterServers)
	e.time(r.Registered)
	held := slices.DeleteFunc(slices.Clone(r.Leases), func(l core.Lease) bool { return l.Session == "" })
	e.uint(uint64(len(held)))
	for _, l := range held {
		e.string(l.Session)
		e.time(l.Said)
	}
}

func (d *decoder) replica(r *core.Replica) {
	r.HAAddr, r.Zone = d.string(), d.string()
	r.ActingMaster = core.ActingMaster(d.uint())
	r.FilterServers = d.strings()
	r.Registered = d.time()
	last := ""
	for range d.count() {
		l := core.Lease{Session: d.string(), Said: d.time()}
		if l.Session <= last {
			d.fail() // they are sorted, each session once, and the direct one is not here
		}
		last = l.Session
		r.Leases = append(r.Leases, l)
	}
}

func (e *encoder) event(v core.Event) {
	e.string(string(v.Kind))
	e.uint(uint64(v.Revision))
	e.time(v.At)
	e.string(v.Cluster)
	e.string(v.Broker)
	e.int(v.ID)
	e.string(v.Addr)
	e.string(v.OldAddr)
	e.strings(v.Topics)
	e.int(int64(v.Count))
}

func (d *decoder) event() core.Event {
	return core.Event{
		Kind: core.EventKind(d.string()), Revision: core.Revision(d.uint()), At: d.time(), Cluster: d.string(), Broker: d.string(),
		ID: d.int(), Addr: d.string(), OldAddr: d.string(), Topics: d.strings(), Count: int(d.int()),
	}
}

// eventKinds are written as numbers.
var eventKinds = []string{
	string(core.BrokerRegistered), string(core.BrokerUnregistered), string(core.BrokerEvicted),
	string(core.MasterChanged), string(core.TopicRouteChanged), string(core.BrokerNameConflict),
}

// groupOf returns the group that an item holds.
func groupOf(it item) (core.Group, error) {
	g, err := decodeGroup(it)
	if err != nil {
		return core.Group{}, fmt.Errorf("read item of group %s: %w", keyOf(it).sk, err)
	}
	return g, nil
}

func decodeGroup(it item) (g core.Group, err error) {
	if err := checkFormat(it); err != nil {
		return g, err
	}
	g.Name, g.Cluster = keyOf(it).sk, textOf(it[groupCluster])
	if g.Version, err = uintOf(it, versionAttr); err != nil {
		return g, err
	}
	replicas, ok := it[groupReplicas].(*types.AttributeValueMemberM)
	if !ok {
		return g, fmt.Errorf("attribute %s is not a map", groupReplicas)
	}
	for id, v := range replicas.Value {
		r, err := decodeReplica(id, v)
		if err != nil {
			return g, fmt.Errorf("replica %s: %w", id, err)
		}
		g.Replicas = append(g.Replicas, r)
	}
	slices.SortFunc(g.Replicas, func(a, b core.Replica) int { return cmp.Compare(a.ID, b.ID) })
	return g, decodeRest(&g, bytesOf(it[groupRest]))
}

func decodeRest(g *core.Group, b []byte) error {
	known := []string{g.Name, g.Cluster}
	for _, r := range g.Replicas {
		known = append(known, r.Addr)
	}
	d := newDecoder(b, append(known, eventKinds...)...)
	g.Override = core.Override(d.uint())
	for _, t := range [...]*time.Time{&g.Said, &g.Deleted, &g.Overridden, &g.Gone} {
		*t = d.time()
	}
	g.Writer = core.Writer{ID: d.string(), Until: d.time()}
	g.Intent = d.change()
	g.Intent.Revision = core.Revision(d.uint())
	g.Dropped = d.int()
	g.Refused = d.string()
	if n := d.uint(); n != uint64(len(g.Replicas)) {
		d.fail()
	}
	for i := range g.Replicas {
		d.replica(&g.Replicas[i])
	}
	for range d.count() {
		g.Outbox = append(g.Outbox, d.event())
	}
	return d.done()
}

func decodeReplica(id string, v types.AttributeValue) (r core.Replica, err error) {
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		return r, errCorrupt
	}
	if r.ID, err = strconv.ParseInt(id, 10, 64); err != nil {
		return r, err
	}
	it := m.Value
	r.Addr = textOf(it[replicaAddr])
	if r.Said, err = momentOf(it, replicaSaid); err != nil {
		return r, err
	}
	timeout, err := intOf(it, replicaTimeout)
	if err != nil {
		return r, err
	}
	r.Timeout = time.Duration(timeout) * time.Millisecond
	if b := bytesOf(it[replicaDigest]); len(b) == 8 {
		r.Digest = binary.BigEndian.Uint64(b)
	}
	d := newDecoder(bytesOf(it[replicaVersion]))
	r.DataVersion = core.DataVersion{StateVersion: d.int(), Timestamp: d.int(), Counter: d.int()}
	if direct, ok := it[replicaDirect].(*types.AttributeValueMemberM); ok {
		for front, v := range direct.Value {
			l, err := decodeDirect(front, v)
			if err != nil {
				return r, fmt.Errorf("lease %s: %w", front, err)
			}
			r.Leases = append(r.Leases, l)
		}
		slices.SortFunc(r.Leases, func(a, b core.Lease) int { return cmp.Compare(a.Front, b.Front) })
	}
	return r, d.done()
}

func decodeDirect(front string, v types.AttributeValue) (l core.Lease, err error) {
	m, ok := v.(*types.AttributeValueMemberM)
	if l.Front, ok = strings.CutPrefix(front, frontPrefix); !ok || m == nil {
		return l, errCorrupt
	}
	l.Said, err = momentOf(m.Value, leaseSaid)
	return l, err
}
