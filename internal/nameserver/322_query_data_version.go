package nameserver

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// queryDataVersion answers QUERY_DATA_VERSION, which is a heartbeat as well:
// 5.x brokers with slave acting master send it each second.
//
// Fields: brokerName, brokerAddr, clusterName, brokerId. Body: the sender's
// DataVersion; none, and the word null, counts as changed. Answer: changed; the body is the
// version registered here, if the broker is alive.
func (s *Server) queryDataVersion(ctx context.Context, req *request) (reply, error) {
	b, err := req.beat()
	if err != nil {
		return reply{}, err
	}
	asked := len(req.cmd.Body) > 0 && string(bytes.TrimSpace(req.cmd.Body)) != "null"
	var theirs core.DataVersion
	if asked {
		if theirs, err = wire.DecodeDataVersion(req.cmd.Body); err != nil {
			return reply{}, err
		}
	}
	if err := s.beat(ctx, req, b); err != nil {
		return reply{}, err
	}
	ours, err := s.o.Registry.DataVersion(ctx, s.o.Now(), b.Cluster, b.Broker, b.Addr)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return reply{}, err
	}
	changed := err != nil || !asked || ours != theirs
	rep := reply{ext: remoting.Fields{{Key: "changed", Value: strconv.FormatBool(changed)}}}
	if err == nil {
		rep.body = wire.AppendDataVersion(nil, ours)
	}
	return rep, nil
}

// beat reads the fields that 322 and 904 share.
func (r *request) beat() (core.Beat, error) {
	b := core.Beat{Cluster: cloneOf(r.field("clusterName")), Broker: cloneOf(r.field("brokerName")), Addr: cloneOf(r.field("brokerAddr"))}
	b.ID, b.HasID = r.integer("brokerId")
	switch {
	case b.Cluster == "":
		return b, &core.FieldError{Field: "clusterName", Reason: "is missing"}
	case b.Addr == "":
		return b, &core.FieldError{Field: "brokerAddr", Reason: "is missing"}
	}
	return b, nil
}

// beat renews the lease of a broker that is here; one that is not hears of it
// with its next registration, as with Java.
func (s *Server) beat(ctx context.Context, req *request, b core.Beat) error {
	now := s.o.Now()
	b.Age, b.Front = now.Sub(req.arrived), s.o.Front
	_, err := s.o.Registry.Beat(ctx, now, b)
	return err
}
