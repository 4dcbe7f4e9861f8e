package nameserver

import (
	"context"
	"strconv"

	"signpost/internal/remoting"
)

// addWritePerm answers ADD_WRITE_PERM_OF_BROKER (since 4.9.0).
//
// Field: brokerName. Answer: addTopicCount, 0 for an unknown broker. Read-only
// topics become writable, as in Java.
func (s *Server) addWritePerm(ctx context.Context, req *request) (reply, error) {
	broker := req.field("brokerName")
	n, _, err := s.o.Registry.AddWrite(ctx, s.o.Now(), broker)
	if err != nil {
		return reply{}, err
	}
	s.o.Log.Info("write permission added", "broker", broker, "topics", n, "peer", req.conn.peer)
	return reply{ext: remoting.Fields{{Key: "addTopicCount", Value: strconv.Itoa(n)}}}, nil
}
