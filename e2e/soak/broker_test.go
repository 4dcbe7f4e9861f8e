//go:build e2e

package soak

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"signpost/bench/load"
	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

const (
	cluster = "soak"
	// period is from one registration of a broker to the next, and timeout is for
	// how long it counts as there after one.
	period, timeout = 5 * time.Second, lease
	// owed is for how long a broker is owed to be in routes after it was answered,
	// if it is starved and does not register again: less than its timeout.
	owed = timeout / 2
	// dialTimeout is for connections, registerTimeout is how long a broker waits
	// for an answer (Java: BrokerConfig.registerBrokerTimeoutMills).
	dialTimeout     = 3 * time.Second
	registerTimeout = 24 * time.Second
	// waited is less than what a shim lets a broker wait for the API.
	waited = 2 * time.Second
)

// broker is a simulated master. What it is and has is the model, too: it is
// what a NameServer is told.
type broker struct {
	name  string
	lines []*line // one for each shim
	// busy is held by what changes it, so that one thing happens at a time.
	busy sync.Mutex

	mu      sync.Mutex
	addr    string
	since   time.Time // that it lives, zero if it does not
	version int64
	topics  map[string]int32 // and how many queues it has of each
	wiped   bool             // of its write permission, since it said a new version
	had     map[string]bool  // topics, ever
}

// newBroker returns one that does not live yet.
func newBroker(i int, fronts []*front) *broker {
	b := &broker{name: fmt.Sprintf("b%04d", i), addr: fmt.Sprintf("10.1.%d.%d:10911", i/250, i%250), topics: map[string]int32{}, had: map[string]bool{}}
	for _, f := range fronts {
		b.lines = append(b.lines, &line{broker: b, front: f, wake: make(chan struct{}, 1)})
	}
	return b
}

// own is a topic that no other broker has.
func (b *broker) own(n int) string { return fmt.Sprintf("own-%s-%d", b.name, n) }

// lives says whether it does, since at the latest then.
func (b *broker) lives(since time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.since.IsZero() && !b.since.After(since)
}

// isWiped says whether it must not be written to.
func (b *broker) isWiped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wiped
}

// change changes what it has and says so.
func (b *broker) change(do func(topics map[string]int32)) {
	b.mu.Lock()
	do(b.topics)
	for topic := range b.topics {
		b.had[topic] = true
	}
	b.version++
	b.wiped = false
	b.mu.Unlock()
	b.wakeUp()
}

func (b *broker) wakeUp() {
	for _, l := range b.lines {
		l.poke()
	}
}

// start has it live.
func (b *broker) start() {
	b.mu.Lock()
	b.since = time.Now()
	b.mu.Unlock()
	b.wakeUp()
}

// stop ends it: in order, saying goodbye where that is heard, or by a crash.
func (b *broker) stop(inOrder bool) {
	b.mu.Lock()
	b.since = time.Time{}
	b.mu.Unlock()
	for _, l := range b.lines {
		l.disown()
	}
	for _, l := range b.lines {
		if inOrder {
			l.leave()
		}
		l.hangUp()
	}
}

// registration is what it says, and the topics in it.
func (b *broker) registration() (*load.Request, said, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content := core.Content{DataVersion: core.DataVersion{Counter: b.version, Timestamp: 1_700_000_000_000 + b.version}}
	for _, name := range slices.Sorted(maps.Keys(b.topics)) {
		n := b.topics[name]
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: n, Write: n, Perm: 6}})
	}
	body := wire.AppendRegistration(nil, content, wire.JSON5)
	r, err := b.request(remoting.RegisterBroker, body, remoting.Fields{
		{Key: "haServerAddr", Value: b.addr + "2"}, {Key: "compressed", Value: "false"}, {Key: "enableActingMaster", Value: "false"},
		{Key: "heartbeatTimeoutMillis", Value: strconv.FormatInt(timeout.Milliseconds(), 10)},
		{Key: "bodyCrc32", Value: strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)&0x7fffffff), 10)},
	})
	return r, said{b.version, maps.Clone(b.topics)}, err
}

// said is what a broker has told a shim.
type said struct {
	version int64
	topics  map[string]int32
}

// isKnown says whether the API has certainly heard of what the broker has now,
// from whichever shim.
func (b *broker) isKnown() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lines {
		l.mu.Lock()
		known := l.told == b.version
		l.mu.Unlock()
		if known {
			return true
		}
	}
	return false
}

// isHeard says whether all shims that it knows of have answered what it has now.
func (b *broker) isHeard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lines {
		l.mu.Lock()
		heard := !l.wanted || l.heard == b.version
		l.mu.Unlock()
		if !heard {
			return false
		}
	}
	return true
}

// request is one with its names. The caller holds b.mu.
func (b *broker) request(code remoting.Code, body []byte, more remoting.Fields) (*load.Request, error) {
	r, err := load.NewRequest(remoting.Command{Code: code, Language: "JAVA", Version: remoting.V5_3_3, Body: body, ExtFields: append(remoting.Fields{
		{Key: "brokerAddr", Value: b.addr}, {Key: "brokerId", Value: "0"}, {Key: "brokerName", Value: b.name}, {Key: "clusterName", Value: cluster},
	}, more...)})
	return &r, err
}

// line is a broker's way to one shim: a connection that is made again whenever
// it is gone.
type line struct {
	broker *broker
	front  *front
	wake   chan struct{}

	talk sync.Mutex // held while something is said and answered

	mu     sync.Mutex
	wanted bool // the broker knows of this shim
	conn   *load.Client
	epoch  int              // raised with each end of a connection
	holds  map[string]int32 // topics that were accepted on this connection
	since  time.Time        // that the first were
	last   time.Time        // when a registration was answered last that was sent then
	heard  int64            // the version that the shim has answered
	told   int64            // the version that the shim has told the API before it answered
}

func (l *line) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// want has the broker know of the shim, or forget it.
func (l *line) want(yes bool) {
	l.mu.Lock()
	l.wanted = yes
	l.mu.Unlock()
	if yes {
		l.poke()
	} else {
		l.hangUp()
	}
}

func (l *line) isWanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wanted
}

// hangUp ends the connection, with whatever is under way on it.
func (l *line) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	l.holds = nil
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// has says whether a topic was accepted on the connection that is open, and
// which connection that is.
func (l *line) has(topic string) (epoch int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok = l.holds[topic]
	return l.epoch, ok && time.Since(l.last) < owed
}

// String is what there is to know of it when something is wrong.
func (l *line) String() string {
	l.broker.mu.Lock()
	b := fmt.Sprintf("%s at %s, which lives for %v and says version %d", l.broker.name, l.broker.addr, time.Since(l.broker.since).Round(time.Millisecond), l.broker.version)
	l.broker.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%s, accepted on connection %d for %v", b, l.epoch, time.Since(l.since).Round(time.Millisecond))
}

// run registers as a broker does, until ctx ends.
func (l *line) run(ctx context.Context, report func(string, ...any)) {
	timer := time.NewTimer(rand.N(period)) // this is timing, which no seed decides
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			l.hangUp()
			return
		case <-timer.C:
		case <-l.wake:
		}
		l.register(report)
		timer.Reset(period)
	}
}

// register says everything that the broker has.
func (l *line) register(report func(string, ...any)) {
	l.talk.Lock()
	defer l.talk.Unlock()
	conn, epoch := l.open()
	if conn == nil {
		return
	}
	r, what, err := l.broker.registration()
	if err != nil {
		report("%s: %v", l.broker.name, err)
		return
	}
	began := time.Now()
	a, took, err := conn.Do(r, registerTimeout)
	if err != nil {
		l.lost(epoch)
		return
	}
	if a.Code != int32(remoting.Success) {
		report("%s refused %s: code %d: %s", l.front.name, l.broker.name, a.Code, a.Header)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == epoch {
		if l.holds == nil {
			l.since = time.Now()
		}
		l.holds, l.last = what.topics, began
	}
	l.heard = what.version
	if took < waited && l.front.works(began) {
		l.told = what.version
	}
}

// open returns the connection, nil if there is none to be had. The caller holds
// l.talk.
func (l *line) open() (*load.Client, int) {
	l.mu.Lock()
	conn, epoch, wanted := l.conn, l.epoch, l.wanted
	l.mu.Unlock()
	if !wanted || !l.broker.lives(time.Now()) {
		return nil, 0
	}
	if conn != nil {
		return conn, epoch
	}
	conn, err := load.DialClient(l.front.addr, dialTimeout)
	if err != nil {
		time.AfterFunc(100*time.Millisecond, l.poke) // the shim is being started
		return nil, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != epoch { // it was hung up meanwhile
		_ = conn.Close()
		l.poke()
		return nil, 0
	}
	l.conn = conn
	return conn, epoch
}

// lost ends a connection that failed, and has the broker come again.
func (l *line) lost(epoch int) {
	l.mu.Lock()
	same := l.epoch == epoch
	l.mu.Unlock()
	if same {
		l.hangUp()
	}
	l.poke()
}

// disown has what the shim has answered, or is about to, count no more.
func (l *line) disown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	l.holds = nil
}

// leave says goodbye, if there is a connection.
func (l *line) leave() {
	l.talk.Lock()
	defer l.talk.Unlock()
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil {
		return
	}
	l.broker.mu.Lock()
	r, err := l.broker.request(remoting.UnregisterBroker, nil, nil)
	l.broker.mu.Unlock()
	if err == nil {
		_, _, _ = conn.Do(r, dialTimeout) // it goes, whatever the answer
	}
}
