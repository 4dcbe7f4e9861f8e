package memory

import (
	"encoding/binary"
	"time"

	"signpost/core"
)

// groupRecord is the newest version of a group's record. Version 1 knew no
// Lease.Front: there was only that of version1Front.
const (
	groupRecord   = 2
	version1Front = "tcp"
)

// Least sizes of the lists' items, in bytes.
const (
	leaseSize   = 2
	replicaSize = 14
	eventSize   = 10
)

// appendGroup writes everything but the Version, which starts anew with each
// process.
func appendGroup(b []byte, g *core.Group) []byte {
	b = append(b, groupRecord)
	b = appendText(b, g.Name)
	b = appendText(b, g.Cluster)
	b = append(b, byte(g.Override))
	b = appendTime(b, g.Said)
	b = appendTime(b, g.Deleted)
	b = appendTime(b, g.Overridden)
	b = appendTime(b, g.Gone)
	b = appendText(b, g.Writer.ID)
	b = appendTime(b, g.Writer.Until)
	b = appendChange(b, &g.Intent)
	b = binary.AppendVarint(b, g.Dropped)
	b = appendText(b, g.Refused)
	b = binary.AppendUvarint(b, uint64(len(g.Replicas)))
	for i := range g.Replicas {
		b = appendReplica(b, &g.Replicas[i])
	}
	b = binary.AppendUvarint(b, uint64(len(g.Outbox)))
	for i := range g.Outbox {
		b = appendEvent(b, &g.Outbox[i])
	}
	return b
}

func appendReplica(b []byte, r *core.Replica) []byte {
	b = binary.AppendVarint(b, r.ID)
	b = appendText(b, r.Addr)
	b = appendText(b, r.HAAddr)
	b = appendText(b, r.Zone)
	b = binary.AppendVarint(b, int64(r.Timeout))
	b = append(b, byte(r.ActingMaster))
	b = binary.AppendVarint(b, r.DataVersion.StateVersion)
	b = binary.AppendVarint(b, r.DataVersion.Timestamp)
	b = binary.AppendVarint(b, r.DataVersion.Counter)
	b = appendTexts(b, r.FilterServers)
	b = binary.AppendUvarint(b, r.Digest)
	b = appendTime(b, r.Registered)
	b = appendTime(b, r.Said)
	b = binary.AppendUvarint(b, uint64(len(r.Leases)))
	for _, l := range r.Leases {
		b = appendText(b, l.Session)
		b = appendText(b, l.Front)
		b = appendTime(b, l.Said)
	}
	return b
}

func appendChange(b []byte, c *core.Change) []byte {
	b = binary.AppendUvarint(b, uint64(c.Revision))
	b = appendText(b, c.Broker)
	b = appendBool(b, c.Replicas)
	b = appendTexts(b, c.Topics)
	return appendBool(b, c.Many)
}

func appendEvent(b []byte, e *core.Event) []byte {
	b = appendText(b, string(e.Kind))
	b = binary.AppendUvarint(b, uint64(e.Revision))
	b = appendTime(b, e.At)
	b = appendText(b, e.Cluster)
	b = appendText(b, e.Broker)
	b = binary.AppendVarint(b, e.ID)
	b = appendText(b, e.Addr)
	b = appendText(b, e.OldAddr)
	b = appendTexts(b, e.Topics)
	return binary.AppendVarint(b, int64(e.Count))
}

func decodeGroup(content []byte) (*core.Group, error) {
	d := decode(content, groupRecord)
	g := &core.Group{
		Name:       d.text(),
		Cluster:    d.text(),
		Override:   core.Override(d.byte()),
		Said:       d.time(),
		Deleted:    d.time(),
		Overridden: d.time(),
		Gone:       d.time(),
		Writer:     core.Writer{ID: d.text(), Until: d.time()},
		Intent:     d.change(),
		Dropped:    d.varint(),
		Refused:    d.text(),
		Replicas:   list(d, replicaSize, d.replica),
		Outbox:     list(d, eventSize, d.event),
	}
	return g, d.done()
}

func (d *decoder) replica() core.Replica {
	return core.Replica{
		ID:           d.varint(),
		Addr:         d.text(),
		HAAddr:       d.text(),
		Zone:         d.text(),
		Timeout:      time.Duration(d.varint()),
		ActingMaster: core.ActingMaster(d.byte()),
		DataVersion:  core.DataVersion{StateVersion: d.varint(), Timestamp: d.varint(), Counter: d.varint()},

		FilterServers: d.texts(),
		Digest:        d.uvarint(),
		Registered:    d.time(),
		Said:          d.time(),
		Leases:        list(d, leaseSize, d.lease),
	}
}

func (d *decoder) lease() core.Lease {
	l := core.Lease{Session: d.text()}
	switch {
	case d.version > 1:
		l.Front = d.text()
	case l.Session == "":
		l.Front = version1Front
	}
	l.Said = d.time()
	return l
}

func (d *decoder) change() core.Change {
	return core.Change{
		Revision: core.Revision(d.uvarint()),
		Broker:   d.text(),
		Replicas: d.bool(),
		Topics:   d.texts(),
		Many:     d.bool(),
	}
}

func (d *decoder) event() core.Event {
	return core.Event{
		Kind:     core.EventKind(d.text()),
		Revision: core.Revision(d.uvarint()),
		At:       d.time(),
		Cluster:  d.text(),
		Broker:   d.text(),
		ID:       d.varint(),
		Addr:     d.text(),
		OldAddr:  d.text(),
		Topics:   d.texts(),
		Count:    int(d.varint()),
	}
}
