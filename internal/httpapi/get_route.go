package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"signpost/core"
	"signpost/internal/wire"
)

// getRoute answers GET /v1/read/route. The revision that the answer is tagged
// with is read before the route, so that it never says too much (rule 6).
func (s *Server) getRoute(ctx context.Context, req *request) (answer, error) {
	topic, err := req.params.need("topic")
	if err != nil {
		return answer{}, err
	}
	fresh, err := req.params.flag("consistent")
	if err != nil {
		return answer{}, err
	}
	known, err := req.params.revision()
	if err != nil {
		return answer{}, err
	}
	revision, err := s.readRevision(ctx, known, fresh)
	if err != nil {
		return answer{}, err
	}
	now := s.o.Now()
	route, err := s.o.Read.Route(ctx, now, topic)
	if until, absent := absentUntil(err); absent {
		return answer{}.at(revision, validFor(now, until)), err
	}
	if err != nil {
		return answer{}, err
	}
	a := routeAnswer(route, req.params["zone"]).at(revision, validFor(now, route.ValidUntil()))
	a.matched = matches(req.Header, a.etag)
	return a, nil
}

// absentUntil says whether err is that a topic has no route, and until when
// that may be kept.
func absentUntil(err error) (time.Time, bool) {
	var none *core.NoTopicError
	if errors.As(err, &none) {
		return none.ValidUntil, true
	}
	return time.Time{}, errors.Is(err, core.ErrNoTopic)
}

// readRevision returns where the store stands, which is not below what the
// asker or this process has seen already.
func (s *Server) readRevision(ctx context.Context, known core.Revision, fresh bool) (core.Revision, error) {
	head, err := s.readHead(ctx, known, fresh)
	return head.Revision, err
}

// readHead returns that revision with the sessions.
func (s *Server) readHead(ctx context.Context, known core.Revision, fresh bool) (core.Head, error) {
	head, err := s.o.Read.Head(ctx, max(known, core.Revision(s.known.Load())), fresh)
	if err != nil {
		return core.Head{}, fmt.Errorf("read revision: %w", err)
	}
	s.saw(head)
	return head, nil
}

// routeAnswer is a route as seen from a zone. What is the same for everybody
// is encoded once a change.
func routeAnswer(route *core.Route, zone string) answer {
	var body []byte
	if strings.TrimSpace(zone) == "" {
		body = wire.Route(route, wire.Standard)
	} else {
		body = wire.AppendRoute(nil, route.Near(zone), wire.Standard)
	}
	return answer{body: body, etag: tagOf(body)}
}

// tagOf is the ETag of a body: in hex, for commas and quotes get lost on the way.
func tagOf(body []byte) string {
	const digits = 16
	tag := strconv.FormatUint(xxhash.Sum64(body), 16)
	return strings.Repeat("0", digits-len(tag)) + tag
}
