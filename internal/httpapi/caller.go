package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"signpost/core"
)

// Caller is who makes a call. The zero Caller may read, and write nothing.
type Caller struct {
	// ID is what sessions are owned by: an IAM ARN or a token's subject.
	ID string
	// Clusters are those that it may write.
	Clusters []string
	// AllClusters lets it write every cluster, and what belongs to none: KV.
	AllClusters bool
}

// Anyone is an Identity for a port that only trusted callers reach: they are
// all one caller, which may write everything.
func Anyone(*http.Request) (Caller, error) { return Caller{AllClusters: true}, nil }

// may is the one check of which clusters a caller writes.
func (c Caller) may(cluster string) error {
	if c.AllClusters || slices.Contains(c.Clusters, cluster) {
		return nil
	}
	return &problemError{kind: clusterForbidden, detail: fmt.Sprintf("the caller may not write the cluster %q", cluster)}
}

// mayAll is may for what all clusters share.
func (c Caller) mayAll(what string) error {
	if c.AllClusters {
		return nil
	}
	return &problemError{kind: clusterForbidden, detail: what + " belongs to all clusters, and the caller may not write them all"}
}

// mayBroker is may for the cluster that a broker is in. Who is not alive is in
// none.
func (s *Server) mayBroker(ctx context.Context, c Caller, now time.Time, broker string) error {
	if c.AllClusters {
		return nil
	}
	g, err := s.o.Write.Group(ctx, now, broker)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return c.may(g.Cluster)
}

// maxOwners bounds the sessions whose owners are remembered; the store holds
// at most half as many that are alive.
const maxOwners = 1024

// owners remembers who opened a session. That never changes, for an id is
// used once.
type owners struct {
	mu sync.Mutex
	of map[string]string
}

func (o *owners) find(session string) (owner string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	owner, ok = o.of[session]
	return owner, ok
}

func (o *owners) file(session, owner string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[string]string{}
	}
	if len(o.of) >= maxOwners {
		for old := range o.of {
			delete(o.of, old)
			break
		}
	}
	o.of[session] = owner
}

// owns checks that the session, if one is named, is the caller's. Whether it
// is still open is the registry's to judge.
func (s *Server) owns(ctx context.Context, c Caller, session string) error {
	if session == "" {
		return nil
	}
	owner, ok := s.owners.find(session)
	if !ok {
		// One that was opened elsewhere a moment ago may not be remembered here.
		head, err := s.o.Write.Head(ctx, core.Revision(s.known.Load()), true)
		if err != nil {
			return fmt.Errorf("read sessions: %w", err)
		}
		s.learn(head.Revision)
		found, ok := head.Sessions.Find(session)
		if !ok {
			return fmt.Errorf("session %s: %w", session, core.ErrSessionClosed)
		}
		owner = found.Owner
		s.owners.file(session, owner)
	}
	if owner != c.ID {
		return fmt.Errorf("session %s: %w", session, core.ErrForbidden)
	}
	return nil
}
