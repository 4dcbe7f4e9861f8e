package nameserver

import (
	"context"
	"errors"

	"signpost/internal/remoting"
)

// updateConfig answers UPDATE_NAMESRV_CONFIG.
//
// Body: properties text; none is no error. Changing a server from afar has
// been the way into it (CVE-2023-37582), so it is refused with code 16 unless
// the configuration allows a key by name, and never for paths.
func (s *Server) updateConfig(_ context.Context, req *request) (reply, error) {
	if len(req.cmd.Body) == 0 {
		return done, nil
	}
	if err := s.o.Config.Update(req.cmd.Body); err != nil {
		s.o.Log.Warn("configuration not changed", "peer", req.conn.peer, "error", err)
		code := remoting.SystemError
		if errors.Is(err, ErrNotPermitted) {
			code = remoting.NoPermission
		}
		return reply{}, &codedError{code: code, text: err.Error()}
	}
	s.o.Log.Info("configuration changed", "peer", req.conn.peer)
	return done, nil
}
