package nameserver

import (
	"context"
	"errors"
	"fmt"

	"signpost/core"
	"signpost/internal/remoting"
)

// getKV answers GET_KV_CONFIG.
//
// Fields: namespace, key. Answer: value, or code 22.
func (s *Server) getKV(ctx context.Context, req *request) (reply, error) {
	table, err := s.o.Registry.KV(ctx, req.field("namespace"))
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return reply{}, err
	}
	value, ok := table[req.field("key")]
	if !ok {
		return reply{}, &codedError{code: remoting.QueryNotFound, text: fmt.Sprintf("No config item, Namespace: %s Key: %s",
			req.orNull("namespace"), req.orNull("key"))}
	}
	return reply{ext: remoting.Fields{{Key: "value", Value: value}}}, nil
}

// orNull is a field as Java prints it.
func (r *request) orNull(name string) string {
	if v, ok := r.cmd.ExtFields.Get(name); ok {
		return v
	}
	return "null"
}
