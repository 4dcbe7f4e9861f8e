package upstream

import (
	"context"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// RegisterQueues registers one topic (217).
func (r *Registry) RegisterQueues(ctx context.Context, _ time.Time, topic string, rows []core.Row) (core.Revision, error) {
	for _, row := range rows { // before the change can be heard of
		r.held.Overtaken(topic, row.Broker)
	}
	return r.write(ctx, func() (api.Meta, error) { return r.cloud.RegisterQueues(ctx, topic, rows) })
}

// WipeWrite takes the write permission off a broker's topics.
func (r *Registry) WipeWrite(ctx context.Context, _ time.Time, broker string) (count int, raised core.Revision, err error) {
	if !nameable(broker) {
		return 0, 0, nil
	}
	raised, err = r.write(ctx, func() (meta api.Meta, err error) {
		count, meta, err = r.cloud.WipeWrite(ctx, broker)
		return meta, err
	})
	return count, raised, err
}

// AddWrite gives it back.
func (r *Registry) AddWrite(ctx context.Context, _ time.Time, broker string) (count int, raised core.Revision, err error) {
	if !nameable(broker) {
		return 0, 0, nil
	}
	raised, err = r.write(ctx, func() (meta api.Meta, err error) {
		count, meta, err = r.cloud.AddWrite(ctx, broker)
		return meta, err
	})
	return count, raised, err
}

// DeleteTopic deletes a topic of a cluster, or with "" of all.
func (r *Registry) DeleteTopic(ctx context.Context, _ time.Time, topic, cluster string) (core.Revision, error) {
	if !nameable(topic) {
		return 0, nil
	}
	return r.write(ctx, func() (api.Meta, error) { return r.cloud.DeleteTopic(ctx, topic, cluster) })
}

// PutKV sets a value.
func (r *Registry) PutKV(ctx context.Context, namespace, key, value string) (core.Revision, error) {
	return r.write(ctx, func() (api.Meta, error) { return r.cloud.PutKV(ctx, namespace, key, value) })
}

// DeleteKV takes a value out.
func (r *Registry) DeleteKV(ctx context.Context, namespace, key string) (core.Revision, error) {
	if !nameable(namespace, key) {
		return 0, nil
	}
	return r.write(ctx, func() (api.Meta, error) { return r.cloud.DeleteKV(ctx, namespace, key) })
}

// write makes a call that changes something. When it returns, what it changed
// is seen here.
func (r *Registry) write(ctx context.Context, call func() (api.Meta, error)) (core.Revision, error) {
	resume := core.Waiting(ctx)
	meta, err := call()
	resume()
	if err != nil {
		return 0, told(err)
	}
	r.known.Seen(ctx, meta.Revision)
	return meta.Revision, nil
}
