package nameserver

import "context"

// getConfig answers GET_NAMESRV_CONFIG: a line k=v a key, sorted.
func (s *Server) getConfig(context.Context, *request) (reply, error) {
	return reply{body: []byte(s.o.Config.List())}, nil
}
