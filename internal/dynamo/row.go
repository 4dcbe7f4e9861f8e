package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"signpost/core"
)

// rowContent holds a row's queues and mapping.
const rowContent = "b"

func rowItem(t core.Topic) (item, error) {
	e := newEncoder(t.Name)
	e.queues(t.Queues)
	e.mapping(t.Mapping)
	if err := checkSize("topicQueueMappingInfoMap", len(e.b)); err != nil {
		return nil, err
	}
	return item{formatAttr: number(format), rowContent: blob(e.b)}, nil
}

// rowOf returns the row that an item of the topic holds.
func rowOf(topic string, it item) (core.Row, error) {
	row := core.Row{Broker: keyOf(it).sk, Topic: core.Topic{Name: topic}}
	err := checkFormat(it)
	if err == nil {
		d := newDecoder(bytesOf(it[rowContent]), topic)
		row.Queues = d.queues()
		row.Mapping = d.mapping()
		err = d.done()
	}
	if err != nil {
		return core.Row{}, fmt.Errorf("read row of %s at %s: %w", topic, row.Broker, err)
	}
	return row, nil
}

// Rows returns the topic's rows, which their keys sort by broker.
func (s *Store) Rows(ctx context.Context, topic string) ([]core.Row, error) {
	if checkName("topic", topic) != nil {
		return nil, nil // it was never stored
	}
	items, err := s.query(ctx, rowPartition(topic))
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", topic, err)
	}
	rows := make([]core.Row, len(items))
	for i, it := range items {
		if rows[i], err = rowOf(topic, it); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (e *encoder) queues(q core.Queues) {
	for _, n := range [...]int32{q.Read, q.Write, q.Perm, q.SysFlag} {
		e.int(int64(n))
	}
}

func (d *decoder) queues() core.Queues {
	return core.Queues{Read: d.int32(), Write: d.int32(), Perm: d.int32(), SysFlag: d.int32()}
}

// Flags of a mapping.
const (
	mappingThere = 1 << iota
	mappingDirty
	mappingCurrent
)

func (e *encoder) mapping(m *core.Mapping) {
	if m == nil {
		e.uint(0)
		return
	}
	flags := uint64(mappingThere)
	if m.Dirty {
		flags |= mappingDirty
	}
	if m.Current != nil {
		flags |= mappingCurrent
	}
	e.uint(flags)
	e.string(m.Topic)
	e.string(m.Broker)
	e.string(m.Scope)
	e.int(int64(m.TotalQueues))
	e.int(m.Epoch)
	e.uint(uint64(len(m.Current)))
	for _, id := range slices.Sorted(maps.Keys(m.Current)) {
		e.int(int64(id))
		e.int(int64(m.Current[id]))
	}
}

func (d *decoder) mapping() *core.Mapping {
	flags := d.uint()
	if flags&mappingThere == 0 {
		return nil
	}
	m := &core.Mapping{
		Topic: d.string(), Broker: d.string(), Scope: d.string(), TotalQueues: d.int32(), Epoch: d.int(), Dirty: flags&mappingDirty != 0,
	}
	n := d.count()
	if flags&mappingCurrent != 0 {
		m.Current = make(map[int32]int32, n)
		for range n {
			id := d.int32()
			m.Current[id] = d.int32()
		}
	}
	return m
}
