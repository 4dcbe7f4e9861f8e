package nameserver

import (
	"context"

	"signpost/core"
)

// putKV answers PUT_KV_CONFIG.
//
// Fields: namespace, key, value. Java 4.8.0 stores a missing key as null, and
// every version a missing value, which then reads as not found; here they are
// errors that name the field.
func (s *Server) putKV(ctx context.Context, req *request) (reply, error) {
	namespace, hasNamespace := req.cmd.ExtFields.Get("namespace")
	key, hasKey := req.cmd.ExtFields.Get("key")
	if !hasNamespace || !hasKey {
		return reply{}, &codedError{code: 1, text: "namespace or key is null"}
	}
	value, hasValue := req.cmd.ExtFields.Get("value")
	if !hasValue {
		return reply{}, &core.FieldError{Field: "value", Reason: "is missing"}
	}
	if _, err := s.o.Registry.PutKV(ctx, namespace, key, value); err != nil {
		return reply{}, err
	}
	s.o.Log.Info("KV stored", "namespace", namespace, "key", key, "peer", req.conn.peer)
	return done, nil
}
