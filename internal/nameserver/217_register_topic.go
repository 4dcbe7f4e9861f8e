package nameserver

import (
	"context"

	"signpost/internal/wire"
)

// registerTopic answers REGISTER_TOPIC_IN_NAMESRV (5.x,
// enableSingleTopicRegister).
//
// Field: topic. Body: TopicRouteData, of which the queueDatas count; none of
// them is no error.
func (s *Server) registerTopic(ctx context.Context, req *request) (reply, error) {
	topic := cloneOf(req.field("topic"))
	rows, err := wire.DecodeQueueDatas(topic, req.cmd.Body)
	if err != nil || len(rows) == 0 {
		return done, err
	}
	_, err = s.o.Registry.RegisterQueues(ctx, s.o.Now(), topic, rows)
	return done, err
}
