package follow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// What a Follower promises, checked over random changes, faults and restarts:
//
//   - In good times an answer was right at some moment within the last interval,
//     and right after a change from here at some moment since it.
//   - In bad times it was right at some moment since shortly before they began,
//     and none is older than the one before.
//   - A failure makes no route empty, and no topic unknown.
//   - After bad times all is right again within an interval and a bit.

const (
	sampleTime = 100 * time.Millisecond
	// lag is how old an answer may be in good times: an interval, with what the
	// calls take and how old a beat's answer may be.
	lag = 5*time.Second + 2*time.Second + 500*time.Millisecond
	// settleTime is how long after the end of a fault good times begin: a call may
	// hang, then the next beat comes within an interval.
	settleTime = 12 * time.Second
	// unwritten is how much a file may miss.
	unwritten = 4 * time.Second
)

var modelTopics = []string{"A", "B", "C", "D"}

// truth is how a topic was, from when to when.
type truth struct {
	from  time.Time
	shape string
}

// model is a shim under observation.
type model struct {
	t    *rapid.T
	c    *cloud
	s    *shim
	dir  string
	path string

	mu     sync.Mutex
	truths map[string][]truth

	gateways map[string]*modelGateway
	faulty   bool
	calm     time.Time            // since when there is no fault
	firm     time.Time            // answers are not from before it
	given    map[string]time.Time // at which the last answer may have been right
	last     map[string]string    // the last answer
	fromHere time.Time            // of the last change
	lost     time.Time            // when the table was; a revision says nothing before that is known
	done     []string
}

type modelGateway struct {
	id   string
	stop func()
}

// sample notes how the topics are.
func (m *model) sample() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, topic := range modelTopics {
		shape := described(m.c.world().Route(context.Background(), now, topic))
		was := m.truths[topic]
		if len(was) == 0 || was[len(was)-1].shape != shape {
			m.truths[topic] = append(was, truth{now, shape})
		}
	}
}

// sampling notes it all the time.
func (m *model) sampling() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for api.Pause(ctx, sampleTime) {
			m.sample()
		}
	}()
	return func() { cancel(); <-done }
}

// right returns the first moment, not before that one, at which the topic was so.
func (m *model) right(topic, shape string, since time.Time) (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	truths := m.truths[topic]
	for i, is := range truths {
		ended := i+1 < len(truths) && truths[i+1].from.Before(since.Add(-2*sampleTime))
		if is.shape == shape && !ended {
			if is.from.After(since) {
				return is.from, true
			}
			return since, true
		}
	}
	return time.Time{}, false
}

// good says whether times are good.
func (m *model) good() bool { return !m.faulty && time.Since(m.calm) > settleTime }

// look looks all topics up and checks the answers.
func (m *model) look() {
	for _, topic := range modelTopics {
		began, good := time.Now(), m.good()
		since := m.firm
		if good {
			since = began.Add(-lag)
			if m.fromHere.After(since) {
				since = m.fromHere
			}
		}
		if at := m.given[topic]; at.After(since) {
			since = at
		}
		got := m.s.route(topic)
		m.sample()
		if took := time.Since(began); took > 2500*time.Millisecond {
			m.fatalf("%s took %v", topic, took)
		}
		if got == "unavailable" {
			// It may have been heard that there is none.
			_, none := m.right(topic, "none", m.given[topic])
			// And it is not believed of a table that has just been emptied, until a
			// beat tells.
			lost := began.Sub(m.lost) < lag
			if last := m.last[topic]; good && !lost || last != "" && !none {
				m.fatalf("%s is unavailable at %v, was %q at %v, good times %v; it was %v", topic, clock(began), last, clock(m.given[topic]), good, m.story(topic))
			}
			continue
		}
		at, ok := m.right(topic, got, since)
		if !ok {
			m.fatalf("%s is %q at %v, not so since %v; good times %v; it was %v", topic, got, clock(began), clock(since), good, m.story(topic))
		}
		m.given[topic], m.last[topic] = at, got
	}
	if m.good() {
		m.firm = time.Now().Add(-lag)
	}
}

// fatalf ends the run. What it did is told here: with random pauses it may do
// something else the next time.
func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(format+"\n%s", append(args, strings.Join(m.done, "\n"))...)
}

func (m *model) note(what ...any) {
	m.done = append(m.done, clock(time.Now())+" "+fmt.Sprint(what...))
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func (m *model) story(topic string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, is := range m.truths[topic] {
		fmt.Fprintf(&b, "\n%s %s", clock(is.from), is.shape)
	}
	return b.String()
}

// act makes a change of the world, between two moments.
func (m *model) act(change func()) {
	synctest.Wait()
	change()
	m.sample()
}

func (m *model) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		pass(min(500*time.Millisecond, time.Until(end)))
		m.look()
	}
}

func (m *model) open(name string) {
	id := newID()
	m.gateways[name] = &modelGateway{id, m.c.gateway(id)}
}

// session returns one through which a broker may register, and whether it is
// the shim's own; "" is none.
func (m *model) session() (id string, own bool) {
	switch who := rapid.SampledFrom([]string{"own", "g1", "g2", ""}).Draw(m.t, "session"); who {
	case "own":
		id := m.s.State(time.Now()).Session
		return id, id != ""
	case "":
		return "", false
	default:
		return m.gateways[who].id, false
	}
}

func (m *model) register() {
	session, own := m.session()
	broker := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.t, "broker")
	id := rapid.Int64Range(0, 1).Draw(m.t, "id")
	timeout := rapid.SampledFrom([]time.Duration{0, 10 * time.Second, 40 * time.Second}).Draw(m.t, "timeout")
	var topics []string
	for _, topic := range modelTopics {
		if n := rapid.IntRange(0, 3).Draw(m.t, topic); n > 0 {
			topics = append(topics, fmt.Sprintf("%s:%d", topic, n))
		}
	}
	m.note(broker, " ", id, " by ", session, timeout, topics)
	var rev core.Revision
	m.act(func() { rev, _ = m.c.tryRegister(session, broker, id, timeout, topics...) })
	if own {
		m.seen(rev)
	}
}

// seen tells the shim of a change from here.
func (m *model) seen(rev core.Revision) {
	at := time.Now()
	m.s.Seen(context.Background(), rev)
	if took := time.Since(at); took > time.Second {
		m.fatalf("Seen took %v", took)
	}
	if rev > 0 && at.Sub(m.lost) > lag {
		m.fromHere = at
	}
	m.look()
}

func (m *model) leave() {
	session, _ := m.session()
	broker := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.t, "broker")
	id := rapid.Int64Range(0, 1).Draw(m.t, "id")
	d := core.Departure{Cluster: "c1", Broker: broker, ID: id, Addr: fmt.Sprintf("%s:%d", broker, id), Session: session, Owner: owner, LeaseOnly: session != ""}
	m.act(func() { m.c.world().Unregister(context.Background(), time.Now(), d) })
}

func (m *model) administer() {
	topic := rapid.SampledFrom(modelTopics).Draw(m.t, "topic")
	ctx := context.Background()
	m.note(topic)
	var rev core.Revision
	what := rapid.IntRange(0, 2).Draw(m.t, "what")
	m.act(func() {
		switch what {
		case 0:
			rev, _ = m.c.world().DeleteTopic(ctx, time.Now(), topic, "")
		case 1:
			rev, _ = m.c.world().PutKV(ctx, core.OrderNamespace, topic, fmt.Sprint("a:", rand.IntN(9)))
		case 2:
			m.c.world().Sweep(ctx, time.Now())
		}
	})
	m.seen(rev)
}

// kill ends a gateway without a word; another one is started.
func (m *model) kill() {
	name := rapid.SampledFrom([]string{"g1", "g2"}).Draw(m.t, "gateway")
	m.gateways[name].stop()
	m.act(func() { m.open(name) })
}

// lose empties the table.
func (m *model) lose() {
	m.act(func() {
		for _, g := range m.gateways {
			g.stop()
		}
		m.c.empty()
		m.lost = time.Now()
		m.open("g1")
		m.open("g2")
	})
}

func (m *model) fault() {
	kinds := map[string]func(ctx context.Context, call string) (bool, error){
		"down": down, "silent": silent, "throttled": on("routes", errDown), "no beats": on("beat", errDown), "no KV": on("kv", errDown),
		"lost answers": func(context.Context, string) (bool, error) { return true, errDown },
		"half": func(context.Context, string) (bool, error) {
			return rand.IntN(2) == 0, map[bool]error{true: errDown}[rand.IntN(2) == 0]
		},
		"slow": func(ctx context.Context, _ string) (bool, error) {
			api.Pause(ctx, time.Duration(rand.IntN(3000))*time.Millisecond)
			return false, nil
		},
	}
	name := rapid.SampledFrom([]string{"down", "silent", "throttled", "no beats", "no KV", "lost answers", "half", "slow"}).Draw(m.t, "fault")
	m.note(name)
	m.faulty = true
	m.c.set(func() { m.c.fault = kinds[name] })
}

func (m *model) heal() {
	m.c.set(func() { m.c.fault = nil })
	if m.faulty {
		m.faulty, m.calm = false, time.Now()
	}
}

// restart is one with a file that may miss the last seconds, or an ordinary one.
func (m *model) restart() {
	killed := rapid.Bool().Draw(m.t, "killed")
	m.note("killed ", killed)
	path := m.path
	if killed {
		path = filepath.Join(m.dir, newID())
		synctest.Wait()
		m.copy(path)
		m.firm = m.firm.Add(-unwritten)
		if begin := m.begin(); m.firm.Before(begin) {
			m.firm = begin
		}
		m.given = map[string]time.Time{}
		m.last = map[string]string{} // a topic may have got known since
	}
	m.s.stop()
	m.path = path
	m.start()
	// Until it has answered, the cloud counts as one that cannot be reached.
	if !m.faulty {
		m.calm = time.Now()
	}
}

func (m *model) begin() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.truths[modelTopics[0]][0].from
}

func (m *model) copy(to string) {
	from, err := os.Open(m.path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer from.Close()
	copied, err := os.Create(to)
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = io.Copy(copied, from)
	if err := errors.Join(err, copied.Close()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) start() {
	m.s = start(m.t, m.c, at(m.path))
}

func TestModel(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(run *rapid.T) {
		var failure any // which ends the run by a panic
		synctest.Test(t, func(*testing.T) {
			defer func() { failure = recover() }()
			runModel(run, dir)
		})
		if failure != nil {
			panic(failure)
		}
	})
}

func runModel(t *rapid.T, dir string) {
	m := &model{
		t: t, c: newCloud(), dir: dir, path: filepath.Join(dir, newID()), truths: map[string][]truth{},
		gateways: map[string]*modelGateway{}, given: map[string]time.Time{}, last: map[string]string{},
		calm: time.Now(), firm: time.Now(),
	}
	m.c.behind = rapid.SampledFrom([]time.Duration{0, 2 * time.Second}).Draw(t, "behind")
	m.sample()
	defer m.sampling()()
	m.open("g1")
	m.open("g2")
	defer func() {
		for _, g := range m.gateways {
			g.stop()
		}
	}()
	m.start()
	defer func() { m.s.stop() }()
	steps := []struct {
		name string
		step func()
	}{
		{"register", m.register}, {"register again", m.register}, {"leave", m.leave}, {"administer", m.administer},
		{"kill", m.kill}, {"fault", m.fault}, {"heal", m.heal}, {"restart", m.restart}, {"lose", m.lose},
		{"pass", func() { m.pass(time.Duration(rapid.IntRange(1, 80).Draw(t, "time")) * 100 * time.Millisecond) }},
		{"wait", func() { m.pass(settleTime + 2*time.Second) }},
	}
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		next := steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")]
		m.note(next.name)
		next.step()
	}
	m.heal()
	m.pass(settleTime + lag)
	synctest.Wait()
	for _, topic := range modelTopics {
		now := time.Now()
		got, want := m.s.route(topic), described(m.c.world().Route(context.Background(), now, topic))
		if got != want && !m.recent(topic, now) {
			m.fatalf("in the end %s is %q, want %q", topic, got, want)
		}
	}
}

// recent says whether a topic has changed within the last interval: by a lease
// that has run out.
func (m *model) recent(topic string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	truths := m.truths[topic]
	return now.Sub(truths[len(truths)-1].from) < lag
}
