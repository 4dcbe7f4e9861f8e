package nameserver

import (
	"context"

	"signpost/internal/wire"
)

// getClusterInfo answers GET_BROKER_CLUSTER_INFO: every cluster with its
// brokers, always in the plain form (integer keys unquoted).
func (s *Server) getClusterInfo(ctx context.Context, req *request) (reply, error) {
	groups, err := s.o.Registry.Groups(ctx, req.arrived)
	if err != nil {
		return reply{}, err
	}
	return reply{body: wire.AppendClusterInfo(nil, req.conn.addresses().Groups(groups))}, nil
}
