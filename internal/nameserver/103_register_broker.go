package nameserver

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// registerBroker answers REGISTER_BROKER.
//
// Fields: brokerName, brokerAddr, clusterName, haServerAddr, brokerId,
// compressed, bodyCrc32; 5.x: heartbeatTimeoutMillis, enableActingMaster,
// __ZONE_NAME. Body: RegisterBrokerBody, or none. Answer: haServerAddr and
// masterAddr for a slave whose master lives; the body is the order
// configuration, if there is any. While that cannot be had there is no body: the
// broker is registered all the same, and keeps the configuration that it has.
//
// The body is decoded only if its digest is a new one. Java answers 0 to
// registrations that failed half way; here a failure is code 1, and the broker
// tries again with its next.
func (s *Server) registerBroker(ctx context.Context, req *request) (reply, error) {
	reg := req.registration
	if reg.Content == nil {
		var err error
		if reg, err = s.registration(req); err != nil {
			return reply{}, err
		}
		if err := s.claim(req, &reg); err != nil {
			return reply{}, err
		}
	}
	now := s.o.Now()
	reg.Age = now.Sub(req.arrived)
	answer, err := s.o.Registry.Register(ctx, now, reg)
	if err != nil {
		s.owners.disclaim(keyOf(&reg), req.conn, req.was)
		s.logRefused(req, &reg, err)
		return reply{}, err
	}
	return s.registered(req, answer, func() ([]byte, error) { return s.orderTable(ctx) })
}

// logRefused tells of a registration that was turned down, which comes again
// every 30 s or so.
func (s *Server) logRefused(req *request, reg *core.Registration, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		return // it is told of as what it is
	}
	about := xxhash.Sum64String(reg.Cluster + "\n" + reg.Broker + "\n" + reg.Addr)
	if before, ok := s.refused.Say(s.o.Now(), about); ok {
		s.o.Log.Warn("registration refused", "broker", reg.Broker, "cluster", reg.Cluster, "addr", reg.Addr, "peer", req.conn.peer,
			"error", err, "refusedBefore", before)
	}
}

// claim makes the connection the broker's, before anything is waited for: the
// one from before may be found closed at any moment, and would take the broker
// with it. If it is another one, what the broker says is dated anew: the close
// may have been dated since the frame arrived, and what is older than that
// would be refused. What a broker said on a connection that it has left for
// another one is core.ErrStale.
func (s *Server) claim(req *request, reg *core.Registration) error {
	if s.owners.isStale(keyOf(reg), req.conn) {
		return errLeft
	}
	if req.was = s.owners.claim(keyOf(reg), req.conn); req.was != req.conn {
		req.arrived = s.o.Now()
	}
	return nil
}

// errLeft is of no use to anybody but the log.
var errLeft = fmt.Errorf("%w: the broker has come on another connection since", core.ErrStale)

// renewBroker answers an unchanged registration, which is nearly every one, and
// leaves all else to registerBroker.
func (s *Server) renewBroker(req *request) (reply, bool) {
	var err error
	if req.registration, err = s.registration(req); err != nil {
		req.registration.Content = nil
		return reply{}, false
	}
	reg := &req.registration
	if s.claim(req, reg) != nil {
		req.registration.Content = nil
		return reply{}, false
	}
	answer, ok, err := s.o.Registry.Renew(s.base, req.arrived, *reg)
	if err != nil || !ok {
		return reply{}, false
	}
	rep, err := s.registered(req, answer, s.knownOrderTable)
	return rep, err == nil
}

func (s *Server) registered(req *request, answer core.Registered, order func() ([]byte, error)) (rep reply, err error) {
	rep.ext = withHeader
	if answer.MasterAddr != "" {
		a := req.conn.addresses()
		rep.ext = remoting.Fields{{Key: "haServerAddr", Value: a.Addr(answer.HAAddr)}, {Key: "masterAddr", Value: a.Addr(answer.MasterAddr)}}
	}
	if s.o.Switches().OrderToBroker {
		rep.body, err = order()
	}
	return rep, err
}

func (s *Server) registration(req *request) (core.Registration, error) {
	body := req.cmd.Body
	sum, ok := req.integer("bodyCrc32") // an int: what is none counts as absent
	if ok && sum != 0 && sum == int64(int32(sum)) && sum != int64(crc32.ChecksumIEEE(body)&0x7fffffff) {
		return core.Registration{}, &codedError{code: remoting.SystemError, text: "crc32 not match"}
	}
	if req.cmd.Version < 0 {
		return core.Registration{}, &core.FieldError{Field: "version", Reason: "is negative"}
	}
	id, ok := req.integer("brokerId")
	reg := core.Registration{
		Cluster: cloneOf(req.field("clusterName")),
		Broker:  cloneOf(req.field("brokerName")),
		ID:      id,
		Addr:    cloneOf(req.field("brokerAddr")),
		HAAddr:  cloneOf(req.field("haServerAddr")),
		Zone:    cloneOf(req.field("__ZONE_NAME")),
		Front:   s.o.Front,
		Timeout: s.o.Limits.BrokerTimeout,
	}
	if ms, ok := req.integer("heartbeatTimeoutMillis"); ok && ms > 0 {
		reg.Timeout = time.Duration(ms) * time.Millisecond
	}
	if v, ok := req.cmd.ExtFields.Get("enableActingMaster"); ok && v != "" {
		reg.ActingMaster = core.ActingMasterOff
		if req.flag("enableActingMaster") {
			reg.ActingMaster = core.ActingMasterOn
		}
	}
	if ok { // without an id the body is still judged first, as Java does
		reg.Digest = digest(&req.cmd)
	}
	o := wire.Options{
		Compressed: req.flag("compressed"), Version: req.cmd.Version,
		MaxInflated: s.o.Limits.Inflated, MaxTopics: s.o.Limits.Topics,
	}
	reg.Content = func() (core.Content, error) {
		c, err := wire.DecodeRegistration(body, o)
		if err == nil && !ok {
			err = &core.FieldError{Field: "brokerId", Reason: "is missing or no number"}
		}
		if errors.Is(err, wire.ErrTooLarge) {
			s.o.Observer.Refused("registration too large")
		}
		return c, err
	}
	return reg, nil
}

// digest covers all that a registration says: its fields in their order, the
// sender's version (which decides how the body reads), and the body. A second
// hash is not worth its time: two registrations of one broker would have to
// collide in 64 bits.
func digest(cmd *remoting.Command) uint64 {
	var d xxhash.Digest
	d.Reset()
	var number [8]byte
	for _, f := range cmd.ExtFields {
		d.WriteString(f.Key)
		d.Write(number[:1])
		d.WriteString(f.Value)
		d.Write(number[:1])
	}
	d.Write(strconv.AppendInt(number[:0], int64(cmd.Version), 10))
	d.Write([]byte{0})
	d.Write(cmd.Body)
	return max(d.Sum64(), 1)
}

// orderTable returns the order configuration as brokers are sent it, nil if
// there is none.
func (s *Server) orderTable(ctx context.Context) ([]byte, error) {
	table, err := s.o.Registry.KV(ctx, core.OrderNamespace)
	if errors.Is(err, core.ErrNotFound) {
		return nil, nil
	}
	if errors.Is(err, core.ErrUnavailable) {
		s.o.Log.Debug("a broker is not told the order configuration", "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return wire.AppendKVTable(nil, table), nil
}

// errNotKnown says that an answer would have to be waited for.
var errNotKnown = errors.New("not known without waiting")

// knownOrderTable is orderTable where it does not wait.
func (s *Server) knownOrderTable() ([]byte, error) {
	if s.o.Known == nil {
		return s.orderTable(s.base)
	}
	table, ok := s.o.Known.KnownOrder()
	switch {
	case !ok:
		return nil, errNotKnown
	case table == nil:
		return nil, nil
	}
	return wire.AppendKVTable(nil, table), nil
}
