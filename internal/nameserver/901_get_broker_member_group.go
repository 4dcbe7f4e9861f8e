package nameserver

import (
	"context"
	"errors"

	"signpost/core"
	"signpost/internal/wire"
)

// getBrokerMemberGroup answers GET_BROKER_MEMBER_GROUP (5.x).
//
// Fields: clusterName, brokerName. Answer: the group's addresses, none for an
// unknown one, always in the plain form. Java never sets a code in this
// handler; its remark is kept.
func (s *Server) getBrokerMemberGroup(ctx context.Context, req *request) (reply, error) {
	cluster, broker := req.field("clusterName"), req.field("brokerName")
	g, err := s.o.Registry.Group(ctx, req.arrived, broker)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return reply{}, err
	}
	g = req.conn.addresses().Groups([]core.Group{g})[0]
	return reply{remark: "not set any response code", body: wire.AppendBrokerMemberGroup(nil, cluster, broker, g)}, nil
}
