package nameserver

import "context"

// brokerHeartbeat answers BROKER_HEARTBEAT (5.x).
//
// Fields: clusterName, brokerName, brokerAddr, brokerId and more that only a
// controller reads. An unknown broker is answered with success, as by Java:
// it returns with its next registration.
func (s *Server) brokerHeartbeat(ctx context.Context, req *request) (reply, error) {
	b, err := req.beat()
	if err != nil {
		return reply{}, err
	}
	return done, s.beat(ctx, req, b)
}
