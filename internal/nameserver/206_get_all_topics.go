package nameserver

import (
	"context"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// getAllTopics answers GET_ALL_TOPIC_LIST_FROM_NAMESERVER.
func (s *Server) getAllTopics(ctx context.Context, req *request) (reply, error) {
	if !s.o.Switches().AllTopicList {
		return reply{}, errDisabled
	}
	return s.topicList(ctx, req, core.AllTopics, "")
}

var errDisabled = &codedError{code: remoting.SystemError, text: "disable"}

func (s *Server) topicList(ctx context.Context, req *request, kind core.TopicKind, cluster string) (reply, error) {
	names, _, err := s.o.Registry.Topics(ctx, req.arrived, kind, cluster)
	if err != nil {
		return reply{}, err
	}
	return reply{body: wire.AppendTopicList(nil, names, "")}, nil
}
