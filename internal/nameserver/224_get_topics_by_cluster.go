package nameserver

import (
	"context"

	"signpost/core"
	"signpost/internal/wire"
)

// getTopicsByCluster answers GET_TOPICS_BY_CLUSTER.
//
// Field: cluster. An unknown or missing one has no topics.
func (s *Server) getTopicsByCluster(ctx context.Context, req *request) (reply, error) {
	if !s.o.Switches().TopicList {
		return reply{}, errDisabled
	}
	cluster := req.field("cluster")
	if cluster == "" {
		return reply{body: wire.AppendTopicList(nil, nil, "")}, nil
	}
	return s.topicList(ctx, req, core.AllTopics, cluster)
}
