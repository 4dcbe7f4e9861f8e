package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signpost/core"
)

// What a batch says of a topic.
const (
	routeChanged   = "changed"
	routeUnchanged = "unchanged" // the asker's ETag holds
	routeAbsent    = "absent"    // no live broker has it
	routeLater     = "later"     // the answer is full: ask again
)

type routesReply struct {
	Revision uint64       `json:"revision"`
	Routes   []routeReply `json:"routes"` // in the order of the request
}

type routeReply struct {
	Topic    string          `json:"topic"`
	Status   string          `json:"status"`
	ETag     string          `json:"etag,omitempty"`
	ValidFor int64           `json:"validForMillis"`
	Silent   []string        `json:"silent,omitempty"` // brokers that have the topic and do not live
	Route    json.RawMessage `json:"route,omitempty"`
}

// getRoutes answers POST /v1/read/routes: many routes at once, of which only
// those come back that are not what the asker has. All are at the one revision
// that the answer names, or newer.
func (s *Server) getRoutes(ctx context.Context, req *request) (answer, error) {
	body, err := s.readBody(req)
	if err != nil {
		return answer{}, err
	}
	q, err := readRoutesQuery(body, s.o.Limits.Batch)
	if err != nil {
		return answer{}, err
	}
	head, err := s.readHead(ctx, q.revision, q.consistent)
	if err != nil {
		return answer{}, err
	}
	now := s.o.Now()
	t := terms{now: now, zone: q.zone, sessions: head.Sessions, followed: q.sessions}
	reply := routesReply{Revision: uint64(head.Revision), Routes: make([]routeReply, len(q.topics))}
	err = each(ctx, len(q.topics), func(ctx context.Context, i int) error {
		var err error
		reply.Routes[i], err = s.routeReply(ctx, q.topics[i], t)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	least := reply.cut(s.o.Limits.Answer)
	a, err := jsonAnswer(reply)
	return a.at(head.Revision, least), err
}

// terms are what the topics of one question have in common.
type terms struct {
	now      time.Time
	zone     string
	sessions core.Sessions
	followed bool // the asker hears of them, and of changes, by himself
}

func (t terms) routeHolds(r *core.Route) time.Duration {
	if t.followed {
		return followedFor(t.now, r.FollowedUntil(t.sessions, t.now))
	}
	return validFor(t.now, r.ValidUntil())
}

func (t terms) absenceHolds(err error, until time.Time) time.Duration {
	var none *core.NoTopicError
	if t.followed && errors.As(err, &none) && none.Settled {
		return followedAtMost
	}
	return validFor(t.now, until)
}

func (s *Server) routeReply(ctx context.Context, asked knownRoute, t terms) (routeReply, error) {
	reply := routeReply{Topic: asked.topic}
	route, err := s.o.Read.Route(ctx, t.now, asked.topic)
	if until, absent := absentUntil(err); absent {
		reply.Status, reply.ValidFor = routeAbsent, t.absenceHolds(err, until).Milliseconds()
		return reply, nil
	}
	if err != nil {
		return reply, err
	}
	a := routeAnswer(route, t.zone)
	reply.ETag, reply.ValidFor, reply.Silent = a.etag, t.routeHolds(route).Milliseconds(), route.Silent()
	if reply.Status = routeUnchanged; a.etag != asked.etag {
		reply.Status, reply.Route = routeChanged, a.body
	}
	return reply, nil
}

// cut leaves the routes beyond so many bytes for later, the first one never,
// and returns for how long all the others may be kept.
func (r *routesReply) cut(most int) time.Duration {
	least, size, sent := validAtMost, 0, false
	for i := range r.Routes {
		reply := &r.Routes[i]
		if size += len(reply.Route); sent && len(reply.Route) > 0 && size > most {
			*reply = routeReply{Topic: reply.Topic, Status: routeLater}
			continue
		}
		sent = sent || len(reply.Route) > 0
		least = min(least, time.Duration(reply.ValidFor)*time.Millisecond)
	}
	return least
}

// routesQuery is what a batch asks.
type routesQuery struct {
	revision   core.Revision
	zone       string
	consistent bool
	sessions   bool // the asker hears of the sessions by his own beats
	topics     []knownRoute
}

// knownRoute is a topic with the ETag of what the asker has of it.
type knownRoute struct{ topic, etag string }

func readRoutesQuery(body []byte, most int) (q routesQuery, err error) {
	var revision int64
	err = readObject(body, "", members{
		"revision":   integer(&revision, 0),
		"zone":       name(&q.zone),
		"consistent": flag(&q.consistent),
		"sessions":   flag(&q.sessions),
		"topics": func(value []byte) error {
			q.topics = []knownRoute{}
			return readList(value, "topics", most, func(i int, value []byte) error {
				k := knownRoute{}
				path := fmt.Sprintf("topics[%d]", i)
				err := readObject(value, path, members{"topic": name(&k.topic), "etag": etag(&k.etag)})
				if err == nil {
					err = present(path, "topic", k.topic)
				}
				q.topics = append(q.topics, k)
				return err
			})
		},
	})
	q.revision = core.Revision(revision)
	if err == nil && q.topics == nil {
		err = present("", "topics", "")
	}
	return q, err
}

// etag reads an ETag without its quotes.
func etag(dst *string) func([]byte) error {
	return func(value []byte) error {
		if err := readString(value, dst); err != nil {
			return err
		}
		hex := func(c byte) bool { return c-'0' <= 9 || c-'a' <= 'f'-'a' }
		if len(*dst) > maxToken || slices.ContainsFunc([]byte(*dst), func(c byte) bool { return !hex(c) }) {
			return errors.New("is no ETag of this API: they are hex")
		}
		return nil
	}
}
