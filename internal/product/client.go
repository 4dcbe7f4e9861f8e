// Package product asks another environment for routes: a NameServer of a test
// environment answers for topics that it does not have itself what the
// NameServers of the product environment answer (clusterTest; Java:
// ClusterTestRequestProcessor). It is a client only, of NameServers and of the
// address server that knows where they are.
package product

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"signpost/core"
)

const (
	// attemptTime is for one NameServer to answer, connecting included (Java:
	// ClientConfig.mqClientApiTimeout).
	attemptTime = 3 * time.Second
	// lookupTime is for all attempts together (Java:
	// DefaultMQAdminExt.timeoutMillis).
	lookupTime = 5 * time.Second
	// missTime is how long it is remembered that a topic has no route.
	missTime = time.Second

	// maxTopic is longer than any topic: Java allows 127 bytes, and a group's
	// retry topic little more than 255.
	maxTopic = 1 << 10
	// maxMisses bounds the topics that are remembered to have no route.
	maxMisses = 4096
	// maxConns bounds the connections to the product environment.
	maxConns = 32
	// maxFlights bounds the lookups under way, those waiting for a connection
	// included.
	maxFlights = 4096
)

var (
	errClosed = errors.New("closed")
	errBusy   = fmt.Errorf("%d lookups are under way already", maxFlights)
)

// Options say whom a Client asks. With neither Addrs nor AddressServer there
// is nobody to ask, and no topic has a route.
type Options struct {
	// Addrs are the NameServers, host:port each. If there are none they are
	// looked up.
	Addrs []string
	// AddressServer is the host, or host:port, of the lookup (Java:
	// rocketmq.namesrv.domain). The port is 8080 if not given.
	AddressServer string
	// EnvName is the product environment's name there; may be empty.
	EnvName string

	Now func() time.Time // time.Now if nil
	Log *slog.Logger     // told when another server is asked, and of the lookup; may be nil
}

// Client asks the product environment for routes. It is for concurrent use,
// and starts nothing before the first question.
type Client struct {
	fixed     []string   // nil if they are looked up
	directory *directory // nil if there is nothing to look up
	now       func() time.Time
	log       *slog.Logger

	pool    pool
	slots   chan struct{} // one for each connection in use
	lookups singleflight.Group
	reads   singleflight.Group // of the directory
	misses  misses

	base   context.Context // of all that outlasts a call
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	flights int
	flying  sync.WaitGroup
}

// New returns a Client; it does no I/O.
func New(o Options) *Client { return newClient(o, (&net.Dialer{}).DialContext) }

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func newClient(o Options, dial dialFunc) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		fixed:  distinct(o.Addrs),
		now:    o.Now,
		log:    o.Log,
		pool:   pool{dial: dial, now: o.Now, log: o.Log},
		slots:  make(chan struct{}, maxConns),
		misses: misses{until: map[string]time.Time{}},
	}
	if c.fixed == nil && o.AddressServer != "" {
		c.directory = newDirectory(o, dial)
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	return c
}

// distinct returns addrs without repetitions, nil if there are none.
func distinct(addrs []string) (list []string) {
	for _, addr := range addrs {
		if !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	return list
}

// Close ends the lookups under way, waits for them, and closes the
// connections. Route fails from then on.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.flying.Wait()
	c.pool.close()
}

// Route returns where the topic is in the product environment. The error is a
// core.ErrNoTopic if it has no route there, and another one if nobody could be
// asked within a few seconds.
//
// All who ask for a topic at a time share one lookup and its answer. It goes
// on when one of them no longer waits.
func (c *Client) Route(ctx context.Context, topic string) (*core.Route, error) {
	if topic == "" || len(topic) > maxTopic || c.fixed == nil && c.directory == nil || c.misses.has(topic, c.now()) {
		return nil, noTopic(topic)
	}
	done := c.fly(&c.lookups, topic, func(ctx context.Context) (any, error) { return c.lookup(ctx, topic) })
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, fmt.Errorf("ask the product environment: %w", result.Err)
		}
		return result.Val.(*core.Route), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ask the product environment: %w", ctx.Err())
	}
}

func noTopic(topic string) error {
	return fmt.Errorf("topic %.*q in the product environment: %w", maxTopic, topic, core.ErrNoTopic)
}

// fly has f done once for all who want it at the same time. It gets a context
// that ends at Close only, for none of them may end it for the others.
func (c *Client) fly(g *singleflight.Group, key string, f func(context.Context) (any, error)) <-chan singleflight.Result {
	return g.DoChan(key, func() (_ any, err error) {
		if err := c.begin(); err != nil {
			return nil, err
		}
		defer c.end()
		// This goroutine has no handler above it that would do so.
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return f(c.base)
	})
}

func (c *Client) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	if c.flights == maxFlights {
		return errBusy
	}
	c.flights++
	c.flying.Add(1)
	return nil
}

func (c *Client) end() {
	c.mu.Lock()
	c.flights--
	c.mu.Unlock()
	c.flying.Done()
}

// lookup asks one NameServer after the other until one says what the topic's
// route is, or that there is none.
func (c *Client) lookup(ctx context.Context, topic string) (*core.Route, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := c.servers(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a connection: %w", ctx.Err())
	}
	var failure error
	for _, addr := range c.pool.order(addrs) {
		route, err := c.ask(ctx, addr, topic)
		if err == nil {
			return route, nil
		}
		if errors.Is(err, core.ErrNoTopic) {
			c.misses.add(topic, c.now())
			return nil, err
		}
		if c.base.Err() != nil {
			return nil, errClosed
		}
		c.pool.moveOn(addrs, addr, err)
		failure = errors.Join(failure, fmt.Errorf("%s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failure
}

func (c *Client) ask(ctx context.Context, addr, topic string) (*core.Route, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	return c.pool.ask(ctx, addr, topic)
}

// servers returns the NameServers that may be asked. Nobody waits for the
// address server while there is an older list.
func (c *Client) servers(ctx context.Context) ([]string, error) {
	if c.fixed != nil {
		return c.fixed, nil
	}
	list, due, err := c.directory.list(c.now())
	if !due {
		return list, err
	}
	done := c.fly(&c.reads, "", func(ctx context.Context) (any, error) { return nil, c.directory.read(ctx) })
	if len(list) > 0 {
		return list, nil
	}
	select {
	case result := <-done:
		if result.Err != nil {
			return nil, result.Err
		}
		list, _, err = c.directory.list(c.now())
		return list, err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the address server: %w", ctx.Err())
	}
}

// misses are the topics without a route, so that clients that insist on one
// do not reach the product environment each time.
type misses struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (m *misses) has(topic string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[topic]
	return ok && now.Before(until)
}

// add forgets all others when there are too many: they would not have been
// known for much longer.
func (m *misses) add(topic string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.until) >= maxMisses {
		clear(m.until)
	}
	// The topic may be a part of a whole request header.
	m.until[strings.Clone(topic)] = now.Add(missTime)
}
