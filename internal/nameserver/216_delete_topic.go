package nameserver

import "context"

// deleteTopic answers DELETE_TOPIC_IN_NAMESRV.
//
// Fields: topic; from 4.9 clusterName, which spares the topic elsewhere. An
// unknown topic or cluster is no error.
func (s *Server) deleteTopic(ctx context.Context, req *request) (reply, error) {
	topic, cluster := req.field("topic"), req.field("clusterName")
	if _, err := s.o.Registry.DeleteTopic(ctx, s.o.Now(), topic, cluster); err != nil {
		return reply{}, err
	}
	s.o.Log.Info("topic deleted", "topic", topic, "cluster", cluster, "peer", req.conn.peer)
	return done, nil
}
