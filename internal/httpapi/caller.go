package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
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

// writable is Clusters for the registry, for which nil is all.
func (c Caller) writable() []string {
	if c.AllClusters {
		return nil
	}
	return append([]string{}, c.Clusters...)
}

// may is the one check of which clusters a caller writes.
func (c Caller) may(cluster string) error {
	if c.AllClusters || slices.Contains(c.Clusters, cluster) {
		return nil
	}
	return &core.ClusterError{Cluster: cluster}
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
