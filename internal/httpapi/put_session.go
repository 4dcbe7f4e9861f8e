package httpapi

import (
	"context"
	"errors"
	"fmt"

	"signpost/core"
)

// sessionHead answers a session's beat.
type sessionHead struct {
	Revision uint64 `json:"revision"`
	// Complete says that Changes are all since the revision that was named;
	// else everything is to be read again.
	Complete bool          `json:"complete"`
	Changes  []change      `json:"changes"`
	Sessions []sessionLeft `json:"sessions"`
}

type change struct {
	Revision uint64   `json:"revision"`
	Broker   string   `json:"brokerName,omitempty"` // absent: a topic's order configuration
	Replicas bool     `json:"replicas,omitempty"`
	Topics   []string `json:"topics,omitempty"`
	Many     bool     `json:"many,omitempty"`
}

// sessionLeft is a session that is not closed. A lease that it holds lasts
// until max(the broker's timeout, 30 s) after its last beat.
type sessionLeft struct {
	ID        string `json:"id"`
	Gateway   string `json:"gateway"`
	AgeMillis int64  `json:"ageMillis"`       // since its last beat
	Remaining int64  `json:"remainingMillis"` // in which it has to beat again; 0 if it ran out
}

// beatSession answers PUT /v1/register/session: a gateway's beat, or with
// open=true the first of a new session. A session that is open already and the
// caller's own may be opened again: the answer to the first time may be lost.
func (s *Server) beatSession(ctx context.Context, req *request) (answer, error) {
	id, err := req.params.token("id")
	if err != nil {
		return answer{}, err
	}
	since, err := req.params.revision()
	if err != nil {
		return answer{}, err
	}
	open, err := req.params.flag("open")
	if err != nil {
		return answer{}, err
	}
	now := s.o.Now()
	var head core.Head
	if open {
		head, err = s.openSession(ctx, req, id, since)
	} else if _, there := req.params["gateway"]; there {
		err = &core.FieldError{Field: "gateway", Reason: "goes with open=true"}
	} else {
		head, err = s.o.Write.BeatSession(ctx, now, id, req.caller.ID, since)
	}
	if err != nil {
		return answer{}, err
	}
	s.saw(head)
	reply := sessionHead{Revision: uint64(head.Revision), Complete: head.Complete, Changes: []change{}, Sessions: []sessionLeft{}}
	if head.Complete {
		for _, c := range head.Changes {
			reply.Changes = append(reply.Changes, change{uint64(c.Revision), c.Broker, c.Replicas, c.Topics, c.Many})
		}
	}
	for _, o := range head.Sessions {
		if !o.Closed {
			reply.Sessions = append(reply.Sessions, sessionLeft{
				ID: o.ID, Gateway: o.Gateway,
				AgeMillis: max(0, now.Sub(o.Last).Milliseconds()),
				Remaining: max(0, o.Deadline().Sub(now).Milliseconds()),
			})
		}
	}
	a, err := jsonAnswer(reply)
	return a.at(head.Revision, 0), err
}

func (s *Server) openSession(ctx context.Context, req *request, id string, since core.Revision) (core.Head, error) {
	gateway, err := req.params.token("gateway")
	if err != nil {
		return core.Head{}, err
	}
	now := s.o.Now()
	err = s.o.Write.OpenSession(ctx, now, core.Session{ID: id, Gateway: gateway, Owner: req.caller.ID})
	switch {
	case errors.Is(err, core.ErrSessionClosed): // was used before: by this call, perhaps
		return s.o.Write.BeatSession(ctx, now, id, req.caller.ID, since)
	case err != nil:
		return core.Head{}, err
	}
	head, err := s.o.Write.Head(ctx, since, true)
	if err != nil {
		return core.Head{}, fmt.Errorf("read revision: %w", err)
	}
	return head, nil
}
