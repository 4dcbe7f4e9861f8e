package nameserver

import (
	"context"
	"maps"
	"slices"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
)

// Registry is the route model as the TCP front uses it. Its parts are what the
// handlers of one kind of request call.
type Registry interface {
	Registrar
	Router
	Lister
	Administrator
	KeyValues
}

// Registrar takes what brokers say of themselves.
type Registrar interface {
	Register(ctx context.Context, now time.Time, r core.Registration) (core.Registered, error)
	Renew(ctx context.Context, now time.Time, r core.Registration) (core.Registered, bool, error)
	Beat(ctx context.Context, now time.Time, b core.Beat) (core.BeatAnswer, error)
	Unregister(ctx context.Context, now time.Time, d core.Departure) (core.Revision, error)
	DataVersion(ctx context.Context, now time.Time, cluster, broker, addr string) (core.DataVersion, error)
	RegisterQueues(ctx context.Context, now time.Time, topic string, rows []core.Row) (core.Revision, error)
}

// Router finds topics.
type Router interface {
	Route(ctx context.Context, now time.Time, topic string) (*core.Route, error)
}

// Lister lists what is alive.
type Lister interface {
	Topics(ctx context.Context, now time.Time, kind core.TopicKind, cluster string) (names []string, validUntil time.Time, err error)
	Groups(ctx context.Context, now time.Time) ([]core.Group, error)
	Group(ctx context.Context, now time.Time, name string) (core.Group, error)
}

// Administrator does what operators ask for.
type Administrator interface {
	WipeWrite(ctx context.Context, now time.Time, broker string) (count int, raised core.Revision, err error)
	AddWrite(ctx context.Context, now time.Time, broker string) (count int, raised core.Revision, err error)
	DeleteTopic(ctx context.Context, now time.Time, topic, cluster string) (core.Revision, error)
}

// KeyValues keeps the operators' configuration.
type KeyValues interface {
	KV(ctx context.Context, namespace string) (map[string]string, error)
	PutKV(ctx context.Context, namespace, key, value string) (core.Revision, error)
	DeleteKV(ctx context.Context, namespace, key string) (core.Revision, error)
}

// Known is what a registry that has to ask others can say at once. Its methods
// never wait, and Renew of such a registry does not either. Without ok the
// Registry is asked.
type Known interface {
	// KnownRoute returns a route, or a *core.NoTopicError. It keeps nothing of
	// the topic's memory.
	KnownRoute(now time.Time, topic string) (route *core.Route, err error, ok bool)
	// KnownOrder returns the order configuration, nil if there is none.
	KnownOrder() (table map[string]string, ok bool)
}

var _ Registry = (*core.Registry)(nil)

// quick is f where it does not wait.
func quick(here bool, f func(*request) (reply, bool)) func(*request) (reply, bool) {
	if here {
		return f
	}
	return nil
}

// handlers finds a handler by its code.
type handlers []*handler

func newHandlers(table map[remoting.Code]handler) handlers {
	h := make(handlers, slices.Max(slices.Collect(maps.Keys(table)))+1)
	for code, one := range table {
		h[code] = &one
	}
	return h
}

// get returns nil for a code that nobody handles.
func (h handlers) get(code remoting.Code) *handler {
	if code < 0 || int(code) >= len(h) {
		return nil
	}
	return h[code]
}

// passing reports whether nothing of a request of that code is kept.
func (h handlers) passing(code remoting.Code) bool {
	known := h.get(code)
	return known != nil && known.passing
}

// handlerTable is which handler answers which request code.
func (s *Server) handlerTable() map[remoting.Code]handler {
	local, known := s.o.Local, s.o.Known != nil
	here := local && s.o.Product == nil // nobody else is asked for a route
	return map[remoting.Code]handler{
		remoting.PutKVConfig:                      {serve: s.putKV},
		remoting.GetKVConfig:                      {serve: s.getKV, inline: local, header: true},
		remoting.DeleteKVConfig:                   {serve: s.deleteKV},
		remoting.RegisterBroker:                   {serve: s.registerBroker, quick: quick(local || known, s.renewBroker), header: true},
		remoting.UnregisterBroker:                 {serve: s.unregisterBroker},
		remoting.GetRouteInfoByTopic:              {serve: s.getRoute, inline: here, passing: here || known, quick: quick(known, s.knownRoute)},
		remoting.GetBrokerClusterInfo:             {serve: s.getClusterInfo},
		remoting.WipeWritePermOfBroker:            {serve: s.wipeWritePerm, header: true},
		remoting.GetAllTopicListFromNameServer:    {serve: s.getAllTopics},
		remoting.DeleteTopicInNameServer:          {serve: s.deleteTopic},
		remoting.RegisterTopicInNameServer:        {serve: s.registerTopic},
		remoting.GetKVListByNamespace:             {serve: s.getKVList, inline: local},
		remoting.GetTopicsByCluster:               {serve: s.getTopicsByCluster},
		remoting.GetSystemTopicListFromNameServer: {serve: s.getSystemTopics},
		remoting.GetUnitTopicList:                 {serve: s.getUnitTopics},
		remoting.GetHasUnitSubTopicList:           {serve: s.getUnitSubTopics},
		remoting.GetHasUnitSubUnunitTopicList:     {serve: s.getUnitSubUnunitTopics},
		remoting.UpdateNameServerConfig:           {serve: s.updateConfig},
		remoting.GetNameServerConfig:              {serve: s.getConfig},
		remoting.QueryDataVersion:                 {serve: s.queryDataVersion, header: true},
		remoting.AddWritePermOfBroker:             {serve: s.addWritePerm, header: true},
		remoting.GetBrokerMemberGroup:             {serve: s.getBrokerMemberGroup},
		remoting.BrokerHeartbeat:                  {serve: s.brokerHeartbeat},
	}
}
