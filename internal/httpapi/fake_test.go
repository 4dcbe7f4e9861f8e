package httpapi_test

import (
	"context"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
)

// again returns the api with its options as they are now, over the same store.
func (a *api) again() *api {
	next := &api{t: a.t, doc: a.doc, registry: a.registry, elapsed: a.elapsed, options: a.options}
	next.Server = httpapi.New(next.options)
	return next
}

// counting counts the registrations whose content was asked for.
type counting struct {
	*core.Registry
	contents int
}

func (c *counting) Register(ctx context.Context, now time.Time, r core.Registration) (core.Registered, error) {
	content := r.Content
	r.Content = func() (core.Content, error) {
		c.contents++
		return content()
	}
	return c.Registry.Register(ctx, now, r)
}

// failing fails every call with one error, or panics without one.
type failing struct {
	*core.Registry
	err error
}

func (f *failing) fail() error {
	if f.err == nil {
		panic("broken")
	}
	return f.err
}

func (f *failing) Register(context.Context, time.Time, core.Registration) (core.Registered, error) {
	return core.Registered{}, f.fail()
}
func (f *failing) Beat(context.Context, time.Time, core.Beat) (core.BeatAnswer, error) {
	return 0, f.fail()
}
func (f *failing) Unregister(context.Context, time.Time, core.Departure) (core.Revision, error) {
	return 0, f.fail()
}
func (f *failing) Route(context.Context, time.Time, string) (*core.Route, error) {
	return nil, f.fail()
}
func (f *failing) Groups(context.Context, time.Time) ([]core.Group, error) { return nil, f.fail() }
func (f *failing) Group(context.Context, time.Time, string) (core.Group, error) {
	return core.Group{}, f.fail()
}
func (f *failing) Leases(context.Context, string) ([]core.Held, error) { return nil, f.fail() }
func (f *failing) KV(context.Context, string) (map[string]string, error) {
	return nil, f.fail()
}
func (f *failing) RegisterQueues(context.Context, time.Time, string, []core.Row) (core.Revision, error) {
	return 0, f.fail()
}
func (f *failing) OpenSession(context.Context, time.Time, core.Session) error { return f.fail() }
func (f *failing) BeatSession(context.Context, time.Time, string, string, core.Revision) (core.Head, error) {
	return core.Head{}, f.fail()
}
func (f *failing) WipeWrite(context.Context, time.Time, string) (int, core.Revision, error) {
	return 0, 0, f.fail()
}
func (f *failing) AddWrite(context.Context, time.Time, string) (int, core.Revision, error) {
	return 0, 0, f.fail()
}
func (f *failing) DeleteTopic(context.Context, time.Time, string, string) (core.Revision, error) {
	return 0, f.fail()
}
func (f *failing) PutKV(context.Context, string, string, string) (core.Revision, error) {
	return 0, f.fail()
}
func (f *failing) DeleteKV(context.Context, string, string) (core.Revision, error) {
	return 0, f.fail()
}
func (f *failing) Topics(context.Context, time.Time, core.TopicKind, string) ([]string, time.Time, error) {
	return nil, time.Time{}, f.fail()
}
func (f *failing) Head(context.Context, core.Revision, bool) (core.Head, error) {
	return core.Head{}, f.fail()
}
