package nameserver

import (
	"context"
	"errors"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// getKVList answers GET_KVLIST_BY_NAMESPACE.
//
// Field: namespace. Answer: KVTable; a namespace emptied by deletions has an
// empty one, one that never was is code 22.
func (s *Server) getKVList(ctx context.Context, req *request) (reply, error) {
	table, err := s.o.Registry.KV(ctx, req.field("namespace"))
	if errors.Is(err, core.ErrNotFound) {
		return reply{}, &codedError{code: remoting.QueryNotFound, text: "No config item, Namespace: " + req.orNull("namespace")}
	}
	if err != nil {
		return reply{}, err
	}
	return reply{body: wire.AppendKVTable(nil, table)}, nil
}
