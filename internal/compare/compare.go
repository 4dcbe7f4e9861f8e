// Package compare tells in what two NameServers differ: any two, of Java or
// ours, as their peers see them. It asks each for its clusters and topics, for
// the routes of all topics of both, and for the order configuration, and
// compares what they say, whatever the order and the form.
package compare

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"signpost/core"
	"signpost/internal/remoting"
)

// Server is a NameServer to compare.
type Server struct {
	Addr string      // host:port
	TLS  *tls.Config // nil is without TLS
}

// Options say how two NameServers are asked, and what counts.
type Options struct {
	Connections int           // to each NameServer at a time, at least 1
	Timeout     time.Duration // for one answer, connecting included
	// Account, if set, signs the requests, to both: who does not ask for it does
	// not look at it.
	Account *Account
	// Ignored, if set, says of a difference that it does not count.
	Ignored func(Difference) bool
}

// Result is what a comparison found.
type Result struct {
	A           string       `json:"a"` // host:port
	B           string       `json:"b"`
	Equal       bool         `json:"equal"`
	Brokers     int          `json:"brokers"` // of either
	Topics      int          `json:"topics"`
	Differences []Difference `json:"differences"` // sorted
	Ignored     int          `json:"ignored"`     // differences that do not count
	// NotCompared are the lists that one of them does not answer, and why.
	NotCompared []string `json:"notCompared"`
}

// Run compares two NameServers. The error is why one of them could not be
// asked.
func Run(ctx context.Context, a, b Server, o Options) (*Result, error) {
	both := [2]*observer{newObserver(a, o), newObserver(b, o)}
	defer both[0].close()
	defer both[1].close()
	if err := each(ctx, both, (*observer).lists); err != nil {
		return nil, err
	}
	if _, a := both[0].refused[allTopics]; a {
		if _, b := both[1].refused[allTopics]; b {
			return nil, errors.New("neither of the two lists its topics (enableAllTopicList)")
		}
	}
	topics := union(both[0].topics, both[1].topics)
	if err := each(ctx, both, func(v *observer, ctx context.Context) error { return v.routes(ctx, topics) }); err != nil {
		return nil, err
	}
	r := &Result{A: a.Addr, B: b.Addr, Topics: len(topics), Differences: []Difference{}, NotCompared: []string{}}
	r.Brokers = len(union(both[0].brokers, both[1].brokers))
	for _, what := range union(both[0].refused, both[1].refused) {
		r.NotCompared = append(r.NotCompared, what)
		both[0].facts.drop(what)
		both[1].facts.drop(what)
	}
	for _, d := range differences(both[0].facts, both[1].facts) {
		if o.Ignored != nil && o.Ignored(d) {
			r.Ignored++
		} else {
			r.Differences = append(r.Differences, d)
		}
	}
	r.Equal = len(r.Differences) == 0
	return r, nil
}

// each does the same with both at once.
func each(ctx context.Context, both [2]*observer, f func(*observer, context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, v := range both {
		g.Go(func() error {
			if err := f(v, ctx); err != nil {
				return fmt.Errorf("%s: %w", v.client.server.Addr, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func union[V any](a, b map[string]V) []string {
	names := maps.Clone(a)
	maps.Copy(names, b)
	return slices.Sorted(maps.Keys(names))
}

// observer asks one NameServer.
type observer struct {
	client *client

	mu      sync.Mutex
	facts   facts
	topics  map[string]struct{}
	brokers map[string]struct{}
	refused map[string]struct{} // lists that it does not answer
}

func newObserver(s Server, o Options) *observer {
	return &observer{
		client: newClient(s, o), facts: facts{},
		topics: map[string]struct{}{}, brokers: map[string]struct{}{}, refused: map[string]struct{}{},
	}
}

func (v *observer) close() { v.client.close() }

// The names of the lists, which operators may switch off (enableTopicList,
// enableAllTopicList), or which a release does not know.
const (
	allTopics = "topics"
	system    = "system topics"
)

var topicLists = []struct {
	name string
	code remoting.Code
}{
	{allTopics, remoting.GetAllTopicListFromNameServer},
	{system, remoting.GetSystemTopicListFromNameServer},
	{"unit topics", remoting.GetUnitTopicList},
	{"unit subscription topics", remoting.GetHasUnitSubTopicList},
	{"subscription topics without unit", remoting.GetHasUnitSubUnunitTopicList},
}

// lists asks for everything but routes.
func (v *observer) lists(ctx context.Context) error {
	if err := v.clusters(ctx); err != nil {
		return fmt.Errorf("clusters: %w", err)
	}
	for _, l := range topicLists {
		if err := v.topicList(ctx, l.name, l.code); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	if err := v.orderConfiguration(ctx); err != nil {
		return fmt.Errorf("order configuration: %w", err)
	}
	return nil
}

// routes asks for the routes of the topics.
func (v *observer) routes(ctx context.Context, topics []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.client.most)
	for _, topic := range topics {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := v.route(ctx, topic); err != nil {
				return fmt.Errorf("route of %s: %w", topic, err)
			}
			return nil
		})
	}
	return g.Wait()
}

var orderFields = remoting.Fields{{Key: "namespace", Value: core.OrderNamespace}}
