package nameserver

import (
	"context"

	"signpost/core"
)

// getUnitSubTopics answers GET_HAS_UNIT_SUB_TOPIC_LIST.
func (s *Server) getUnitSubTopics(ctx context.Context, req *request) (reply, error) {
	if !s.o.Switches().TopicList {
		return reply{}, errDisabled
	}
	return s.topicList(ctx, req, core.UnitSubTopics, "")
}
