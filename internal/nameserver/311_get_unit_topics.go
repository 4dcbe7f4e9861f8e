package nameserver

import (
	"context"

	"signpost/core"
)

// getUnitTopics answers GET_UNIT_TOPIC_LIST.
func (s *Server) getUnitTopics(ctx context.Context, req *request) (reply, error) {
	if !s.o.Switches().TopicList {
		return reply{}, errDisabled
	}
	return s.topicList(ctx, req, core.UnitTopics, "")
}
