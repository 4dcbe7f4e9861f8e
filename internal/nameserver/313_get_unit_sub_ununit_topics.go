package nameserver

import (
	"context"

	"signpost/core"
)

// getUnitSubUnunitTopics answers GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST.
func (s *Server) getUnitSubUnunitTopics(ctx context.Context, req *request) (reply, error) {
	if !s.o.Switches().TopicList {
		return reply{}, errDisabled
	}
	return s.topicList(ctx, req, core.UnitSubNotUnit, "")
}
