package nameserver

import (
	"context"
	"sync"
	"time"

	"signpost/core"
)

// brokerKey names a broker process as its connection knows it.
type brokerKey struct{ cluster, broker, addr string }

func keyOf(reg *core.Registration) brokerKey { return brokerKey{reg.Cluster, reg.Broker, reg.Addr} }

// owners knows which connection a broker registered through last. A
// connection that closes takes only what is still its own: a broker that
// reconnected before stays.
type owners struct {
	mu sync.Mutex
	by map[brokerKey]*conn
}

// claim makes the connection the broker's, and returns which one was.
func (o *owners) claim(k brokerKey, c *conn) (was *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if was = o.by[k]; was != c && !c.gone {
		o.move(k, was, c)
	}
	return was
}

// disclaim gives the broker back that c has claimed, if the connection that had
// it is still there.
func (o *owners) disclaim(k brokerKey, c, was *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.by[k] != c || was == c:
	case was == nil:
		delete(c.brokers, k)
		delete(o.by, k)
	case !was.gone:
		o.move(k, c, was)
	}
}

// move makes c the broker's connection instead of was, which may be nil. The
// caller holds mu.
func (o *owners) move(k brokerKey, was, c *conn) {
	if was != nil {
		delete(was.brokers, k)
	}
	if c.brokers == nil {
		c.brokers = map[brokerKey]struct{}{}
	}
	c.brokers[k] = struct{}{}
	o.by[k] = c
}

// isStale says whether c speaks for a broker that has come on another connection
// since: its peer has left c, and what it said there was waiting to be read.
func (o *owners) isStale(k brokerKey, c *conn) bool {
	o.mu.Lock()
	owner := o.by[k]
	o.mu.Unlock()
	return owner != nil && owner != c && hasLeft(c.tcp)
}

// release ends what c owns of the broker.
func (o *owners) release(k brokerKey, c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by[k] == c {
		delete(c.brokers, k)
		delete(o.by, k)
	}
}

// find returns a connection that owns a broker, whatever its cluster; nil if
// there is none. It looks at all brokers.
func (o *owners) find(broker, addr string) *conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k, c := range o.by {
		if k.broker == broker && k.addr == addr {
			return c
		}
	}
	return nil
}

// take removes and returns what c owns, which is gone: it will own nothing more.
func (o *owners) take(c *conn) []brokerKey {
	o.mu.Lock()
	defer o.mu.Unlock()
	keys := make([]brokerKey, 0, len(c.brokers))
	for k := range c.brokers {
		keys = append(keys, k)
		delete(o.by, k)
	}
	c.brokers, c.gone = nil, true
	return keys
}

// dropAll tells the registry that a connection is gone, and with it the
// brokers that registered through it, all of them.
func (s *Server) dropAll(c *conn, closed time.Time) {
	for _, k := range s.owners.take(c) {
		ctx, cancel := context.WithTimeout(s.base, s.o.Limits.Handler)
		now := s.o.Now()
		_, err := s.o.Registry.Unregister(ctx, now, core.Departure{
			Cluster: k.cluster, Broker: k.broker, Addr: k.addr, Front: s.o.Front, Age: now.Sub(closed), LeaseOnly: true,
		})
		cancel()
		if err != nil {
			// Its lease runs out by itself.
			s.o.Log.Error("broker of a closed connection not dropped", "broker", k.broker, "addr", k.addr, "error", err)
		}
	}
}
