package nameserver

import (
	"context"

	"signpost/core"
)

// unregisterBroker answers UNREGISTER_BROKER.
//
// Fields: brokerName, brokerAddr, clusterName, brokerId. It goes by address,
// as 5.x does; 4.x goes by id, and lets a replaced master's late goodbye take
// its successor. It is done when it is answered; 5.x only queues it.
func (s *Server) unregisterBroker(ctx context.Context, req *request) (reply, error) {
	id, _ := req.integer("brokerId")
	d := core.Departure{Cluster: req.field("clusterName"), Broker: req.field("brokerName"), ID: id, Addr: req.field("brokerAddr"), Front: s.o.Front}
	key := brokerKey{d.Cluster, d.Broker, d.Addr}
	if s.owners.isStale(key, req.conn) {
		return reply{}, errLeft // it is back
	}
	now := s.o.Now()
	d.Age = now.Sub(req.arrived)
	if _, err := s.o.Registry.Unregister(ctx, now, d); err != nil {
		return reply{}, err
	}
	s.owners.release(key, req.conn)
	return done, nil
}
