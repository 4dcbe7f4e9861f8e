package parity

import (
	"context"
	"strconv"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// Step is one thing that is done to both servers.
type Step interface {
	// do does it to one server and returns the facts of the answer.
	do(ctx context.Context, s *Server, n names) (Facts, error)
	// late says that Java answers, or has nothing to answer, before it is done.
	late() bool
}

// Topic is what a broker says of one topic.
type Topic struct {
	Name    int
	Read    int32
	Write   int32
	Perm    int32
	SysFlag int32
	Epoch   int64 // of its mapping; not 0 is a static topic
}

// Register is a broker's registration (request code 103).
type Register struct {
	Broker  int
	ID      int64
	Addr    int  // which of the broker's addresses
	Conn    int  // which of the address's connections
	Shared  bool // but through the first one of broker 0's first address
	Cluster int
	Zone    int
	Form    wire.RegistrationForm // forms of 4.x say nothing of acting masters and zones
	Acting  bool                  // enableActingMaster
	Version int64                 // tells DataVersions apart
	State   int64                 // stateVersion; forms of 4.x have none
	Topics  []Topic
	Filters []int // filter servers
	Keep    bool  // the list of filter servers is null, which keeps what is known
	// Lapse makes it the broker's last word: it gives itself a moment to live,
	// and is waited for until it is gone.
	Lapse bool
}

// Unregister is a broker's goodbye (request code 104).
type Unregister struct {
	Broker  int
	ID      int64
	Addr    int
	Cluster int
}

// Close closes a connection of an address.
type Close struct {
	Broker int
	Addr   int
	Conn   int
}

// Wipe takes the write permission from a broker (request code 205).
type Wipe struct{ Broker int }

// Add gives it the write permission (request code 327).
type Add struct{ Broker int }

// DeleteTopic removes a topic (request code 216).
type DeleteTopic struct {
	Topic     int
	InCluster bool // from Cluster's brokers only
	Cluster   int
}

// SetQueues stores one topic's queues of some brokers (request code 217).
type SetQueues struct {
	Topic int
	Rows  []Queues
}

// Queues is what a broker has of one topic.
type Queues struct {
	Broker  int
	Read    int32
	Write   int32
	Perm    int32
	SysFlag int32
}

// PutKV stores a value (request code 100).
type PutKV struct {
	Namespace int
	Key       int
	Value     string
}

// DeleteKV removes one (request code 102).
type DeleteKV struct {
	Namespace int
	Key       int
}

// QueryVersion asks whether a broker's DataVersion is another than the stored
// one (request code 322), which is a heartbeat too.
type QueryVersion struct {
	Broker  int
	ID      int64
	Addr    int
	Cluster int
	Version int64
	State   int64
}

// Heartbeat is a light heartbeat (request code 904).
type Heartbeat struct {
	Broker  int
	ID      int64
	Addr    int
	Cluster int
}

func (r Register) late() bool   { return r.Lapse }
func (Unregister) late() bool   { return true } // 5.x queues it
func (Close) late() bool        { return true }
func (Wipe) late() bool         { return false }
func (Add) late() bool          { return false }
func (DeleteTopic) late() bool  { return false }
func (SetQueues) late() bool    { return false }
func (PutKV) late() bool        { return false }
func (DeleteKV) late() bool     { return false }
func (QueryVersion) late() bool { return false }
func (Heartbeat) late() bool    { return false }

// The timeout of a broker that lapses: long enough for its last registration to
// be answered on a busy machine, since servers refuse what is older than its
// own timeout and close the connections of those that lapsed. lapseFar is for
// servers that have the answer from elsewhere.
const (
	lapseAfter = 200 * time.Millisecond
	lapseFar   = 6 * time.Second
)

// oldForm says whether a form is that of a 4.x broker.
func oldForm(f wire.RegistrationForm) bool { return f == wire.JSON4 || f == wire.Compact4 }

// effective is what remains of a topic in that form.
func effective(t Topic, f wire.RegistrationForm) Topic {
	if f.Compressed() {
		t.SysFlag = 0
	}
	if oldForm(f) {
		t.Epoch = 0
	}
	return t
}

func version(v, state int64) core.DataVersion {
	return core.DataVersion{Counter: v, Timestamp: 1_700_000_000_000 + v, StateVersion: state}
}

func (r Register) content(n names) core.Content {
	c := core.Content{DataVersion: version(r.Version, r.State)}
	for _, t := range r.Topics {
		name := n.topic(t.Name)
		c.Topics = append(c.Topics, core.Topic{
			Name: name, Queues: core.Queues{Read: t.Read, Write: t.Write, Perm: t.Perm, SysFlag: t.SysFlag},
		})
		if t.Epoch != 0 {
			c.Mappings = append(c.Mappings, &core.Mapping{
				Topic: name, Broker: n.broker(r.Broker), Scope: "__global__", TotalQueues: int32(t.Epoch), Epoch: t.Epoch,
				Current: map[int32]int32{0: 0},
			})
		}
	}
	if !r.Keep {
		c.FilterServers = []string{}
		for _, f := range r.Filters {
			c.FilterServers = append(c.FilterServers, "filter"+strconv.Itoa(f)+":30000")
		}
	}
	return c
}

func (r Register) command(n names) remoting.Command {
	cmd := remoting.Command{
		Code: remoting.RegisterBroker, Version: r.Form.Version(),
		ExtFields: fields(
			"brokerName", n.broker(r.Broker), "brokerAddr", n.addr(r.Broker, r.Addr), "clusterName", n.cluster(r.Cluster),
			"haServerAddr", n.ha(r.Broker, r.Addr), "brokerId", number(r.ID), "compressed", strconv.FormatBool(r.Form.Compressed())),
		Body: wire.AppendRegistration(nil, r.content(n), r.Form),
	}
	if !oldForm(r.Form) {
		cmd.ExtFields = append(cmd.ExtFields, fields("enableActingMaster", strconv.FormatBool(r.Acting))...)
		if r.Zone != 0 {
			cmd.ExtFields = append(cmd.ExtFields, fields("__ZONE_NAME", zone(r.Zone))...)
		}
		if r.Lapse {
			cmd.ExtFields = append(cmd.ExtFields, fields("heartbeatTimeoutMillis", number(n.lapse.Milliseconds()))...)
		}
	}
	return cmd
}

func (r Register) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.ask(ctx, s.conn(r.connKey()), n, r.command(n))
}

func (r Register) connKey() connKey {
	if r.Shared {
		return connKey{}
	}
	return connKey{r.Broker, r.Addr, r.Conn}
}

func (u Unregister) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{Code: remoting.UnregisterBroker, ExtFields: fields(
		"brokerName", n.broker(u.Broker), "brokerAddr", n.addr(u.Broker, u.Addr), "clusterName", n.cluster(u.Cluster),
		"brokerId", number(u.ID))})
}

func (c Close) do(_ context.Context, s *Server, _ names) (Facts, error) {
	s.hangUp(connKey{c.Broker, c.Addr, c.Conn})
	return nil, nil
}

func (w Wipe) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{Code: remoting.WipeWritePermOfBroker, ExtFields: fields("brokerName", n.broker(w.Broker))})
}

func (a Add) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{Code: remoting.AddWritePermOfBroker, ExtFields: fields("brokerName", n.broker(a.Broker))})
}

func (d DeleteTopic) do(ctx context.Context, s *Server, n names) (Facts, error) {
	cmd := remoting.Command{Code: remoting.DeleteTopicInNameServer, ExtFields: fields("topic", n.topic(d.Topic))}
	if d.InCluster {
		cmd.ExtFields = append(cmd.ExtFields, fields("clusterName", n.cluster(d.Cluster))...)
	}
	return s.askAside(ctx, n, cmd)
}

func (q SetQueues) do(ctx context.Context, s *Server, n names) (Facts, error) {
	route := &core.Route{}
	for _, r := range q.Rows {
		route.Rows = append(route.Rows, core.Row{Broker: n.broker(r.Broker), Topic: core.Topic{
			Queues: core.Queues{Read: r.Read, Write: r.Write, Perm: r.Perm, SysFlag: r.SysFlag},
		}})
	}
	return s.askAside(ctx, n, remoting.Command{
		Code: remoting.RegisterTopicInNameServer, ExtFields: fields("topic", n.topic(q.Topic)), Body: wire.AppendRoute(nil, route, wire.Plain),
	})
}

func (p PutKV) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields(
		"namespace", n.namespace(p.Namespace), "key", n.key(p.Namespace, p.Key), "value", p.Value)})
}

func (d DeleteKV) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{Code: remoting.DeleteKVConfig, ExtFields: fields(
		"namespace", n.namespace(d.Namespace), "key", n.key(d.Namespace, d.Key))})
}

func (q QueryVersion) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{
		Code: remoting.QueryDataVersion,
		ExtFields: fields("brokerName", n.broker(q.Broker), "brokerAddr", n.addr(q.Broker, q.Addr), "clusterName", n.cluster(q.Cluster),
			"brokerId", number(q.ID)),
		Body: wire.AppendDataVersion(nil, version(q.Version, q.State)),
	})
}

func (h Heartbeat) do(ctx context.Context, s *Server, n names) (Facts, error) {
	return s.askAside(ctx, n, remoting.Command{Code: remoting.BrokerHeartbeat, ExtFields: fields(
		"brokerName", n.broker(h.Broker), "brokerAddr", n.addr(h.Broker, h.Addr), "clusterName", n.cluster(h.Cluster),
		"brokerId", number(h.ID))})
}

func fields(keysAndValues ...string) remoting.Fields {
	var f remoting.Fields
	for i := 0; i < len(keysAndValues); i += 2 {
		f = append(f, remoting.Field{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return f
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
