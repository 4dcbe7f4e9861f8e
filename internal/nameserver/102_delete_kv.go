package nameserver

import "context"

// deleteKV answers DELETE_KV_CONFIG.
//
// Fields: namespace, key. What is not there is deleted already.
func (s *Server) deleteKV(ctx context.Context, req *request) (reply, error) {
	namespace, key := req.field("namespace"), req.field("key")
	if _, err := s.o.Registry.DeleteKV(ctx, namespace, key); err != nil {
		return reply{}, err
	}
	s.o.Log.Info("KV deleted", "namespace", namespace, "key", key, "peer", req.conn.peer)
	return done, nil
}
