package nameserver

import (
	"context"
	"slices"

	"signpost/internal/wire"
)

// getSystemTopics answers GET_SYSTEM_TOPIC_LIST_FROM_NS: the names of all
// clusters and brokers, which are topics too, and the address of some broker
// (here the first by name).
func (s *Server) getSystemTopics(ctx context.Context, req *request) (reply, error) {
	groups, err := s.o.Registry.Groups(ctx, req.arrived)
	if err != nil {
		return reply{}, err
	}
	var names []string
	addr := ""
	for _, g := range groups {
		names = append(names, g.Cluster, g.Name)
		if first, ok := g.First(); ok && addr == "" {
			addr = first.Addr
		}
	}
	slices.Sort(names)
	return reply{body: wire.AppendTopicList(nil, slices.Compact(names), req.conn.addresses().Addr(addr))}, nil
}
