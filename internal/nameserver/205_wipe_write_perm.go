package nameserver

import (
	"context"
	"strconv"

	"signpost/internal/remoting"
)

// wipeWritePerm answers WIPE_WRITE_PERM_OF_BROKER.
//
// Field: brokerName. Answer: wipeTopicCount, 0 for an unknown broker.
func (s *Server) wipeWritePerm(ctx context.Context, req *request) (reply, error) {
	broker := req.field("brokerName")
	n, _, err := s.o.Registry.WipeWrite(ctx, s.o.Now(), broker)
	if err != nil {
		return reply{}, err
	}
	s.o.Log.Info("write permission wiped", "broker", broker, "topics", n, "peer", req.conn.peer)
	return reply{ext: remoting.Fields{{Key: "wipeTopicCount", Value: strconv.Itoa(n)}}}, nil
}
