package core_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/memory"
)

// TestLapses lets brokers live by sessions and by themselves, in random
// sequences, and compares who is there with what the rules say of all that
// ever happened: no session is forgotten there, nobody sweeps, and what is dead
// is so at once. Of two sweepers that keep what they have read neither may
// evict what lives, nor be late.
func TestLapses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		guard := rapid.SampledFrom([]time.Duration{0, 0, 20 * time.Second, 2 * time.Minute}).Draw(t, "guard")
		store := memory.New()
		l := &lapses{world: newGuarded(t, store, guard), known: map[string]*life{}, living: map[string]*tenant{}}
		l.sweepers = []*world{l.beside(), l.beside()}
		t.Repeat(map[string]func(*rapid.T){
			"":         l.compare,
			"open":     l.opens,
			"beat":     l.beats,
			"beat on":  l.beats,
			"register": l.registers,
			"confirm":  l.confirms,
			"drop":     l.drops,
			"leave":    l.leaves,
			"time":     l.passes,
			"more":     l.passes,
			"sweep":    l.sweeps,
			"stay":     l.stay,
		})
	})
}

type lapses struct {
	*world
	sweepers []*world
	opened   int
	known    map[string]*life   // every session ever opened
	living   map[string]*tenant // by broker
}

type life struct{ opened, last time.Time }

type tenant struct {
	timeout time.Duration
	direct  time.Time // said; zero without one
	by      map[string]bool
}

// silent says whether all sessions that count at d had run out right after it.
func (l *lapses) silent(d time.Time) bool {
	n := 0
	for _, s := range l.known {
		if s.opened.After(d) || d.Sub(s.last) > 4*time.Minute {
			continue
		}
		if s.last.Add(30 * time.Second).After(d) {
			return false
		}
		n++
	}
	return n >= 2
}

// until is the last moment of a session's lease, as far as is known now.
func (l *lapses) until(session string, timeout time.Duration) time.Time {
	d := l.known[session].last.Add(max(timeout, 30*time.Second))
	if l.now.After(d) && l.guard > 0 && l.silent(d) {
		d = d.Add(l.guard)
	}
	return d
}

// expire takes out the leases that ran out, and the brokers without any.
func (l *lapses) expire() {
	for name, b := range l.living {
		if l.now.After(b.direct.Add(b.timeout)) {
			b.direct = time.Time{}
		}
		for s := range b.by {
			if l.now.After(l.until(s, b.timeout)) {
				delete(b.by, s)
			}
		}
		if b.direct.IsZero() && len(b.by) == 0 {
			delete(l.living, name)
		}
	}
}

// next is the first moment at which one of them may lapse.
func (l *lapses) next() (next time.Time) {
	for _, b := range l.living {
		var d time.Time
		if !b.direct.IsZero() {
			d = b.direct.Add(b.timeout)
		}
		for s := range b.by {
			if u := l.until(s, b.timeout); u.After(d) {
				d = u
			}
		}
		if next.IsZero() || d.Before(next) {
			next = d
		}
	}
	return next
}

func (l *lapses) alive(session string) bool {
	return session == "" || !l.now.After(l.known[session].last.Add(30*time.Second))
}

func (l *lapses) session(t *rapid.T) string {
	if l.opened == 0 {
		return ""
	}
	return fmt.Sprint("s", rapid.IntRange(max(0, l.opened-4), l.opened-1).Draw(t, "session"))
}

func (l *lapses) sender(t *rapid.T) broker {
	n := rapid.IntRange(1, 4).Draw(t, "broker")
	b := a(fmt.Sprint("b", n), 0, fmt.Sprint("a", n), "T", "U")
	if rapid.IntRange(0, 2).Draw(t, "direct") > 0 {
		b = b.via(l.session(t), 0)
	}
	return b
}

func (l *lapses) opens(*rapid.T) {
	id := fmt.Sprint("s", l.opened)
	l.opened++
	l.open(id)
	l.known[id] = &life{l.now, l.now}
}

func (l *lapses) beats(t *rapid.T) {
	var recent []string
	for n := max(0, l.opened-4); n < l.opened; n++ {
		if rapid.IntRange(0, 2).Draw(t, "beats") > 0 {
			recent = append(recent, fmt.Sprint("s", n))
		}
	}
	for _, s := range recent {
		_, err := l.BeatSession(l.ctx, l.now, s, "owner", 0)
		if l.alive(s) {
			l.must(err)
			l.known[s].last = l.now
		} else {
			l.refused(err, core.ErrSessionClosed)
		}
	}
}

func (l *lapses) registers(t *rapid.T) {
	b := l.sender(t)
	b.Timeout = rapid.SampledFrom([]time.Duration{120 * time.Second, 120 * time.Second, 10 * time.Second, 45 * time.Second, 5 * time.Minute}).Draw(t, "timeout")
	err := l.registerErr(b)
	if !l.alive(b.Session) {
		l.refused(err, core.ErrSessionClosed)
		return
	}
	l.must(err)
	known := l.living[b.Broker]
	if known == nil {
		known = &tenant{by: map[string]bool{}}
		l.living[b.Broker] = known
	}
	known.timeout = b.Timeout
	l.hears(known, b.Session)
}

func (l *lapses) hears(b *tenant, session string) {
	if session == "" {
		b.direct = l.now
	} else {
		b.by[session] = true
	}
}

func (l *lapses) confirms(t *rapid.T) {
	b := l.sender(t)
	_, err := l.Beat(l.ctx, l.now, b.beat())
	if !l.alive(b.Session) {
		l.refused(err, core.ErrSessionClosed)
		return
	}
	l.must(err)
	if known := l.living[b.Broker]; known != nil && (b.Session != "" || !known.direct.IsZero()) {
		l.hears(known, b.Session)
	}
}

func (l *lapses) drops(t *rapid.T) {
	b := l.sender(t)
	_, err := l.Unregister(l.ctx, l.now, core.Departure{Cluster: "c1", Broker: b.Broker, Addr: b.Addr, Session: b.Session, Owner: b.Owner, LeaseOnly: true})
	if err != nil { // of a session that is closed
		l.refused(err, core.ErrSessionClosed)
	}
	if known := l.living[b.Broker]; known != nil {
		if b.Session == "" {
			known.direct = time.Time{}
		} else {
			delete(known.by, b.Session)
		}
	}
}

func (l *lapses) leaves(t *rapid.T) {
	b := l.sender(t)
	b.Session = ""
	l.unregister(b)
	delete(l.living, b.Broker)
}

// passes lets time pass, mostly to where something lapses or just beyond.
func (l *lapses) passes(t *rapid.T) {
	switch next := l.next(); {
	case rapid.Bool().Draw(t, "to the next deadline") && !next.IsZero():
		l.now = next
	case rapid.Bool().Draw(t, "just"):
		l.step(ms)
	default:
		l.step(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Second, 29 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 31 * time.Minute}).Draw(t, "time"))
	}
}

func (l *lapses) sweeps(t *rapid.T) {
	s := rapid.SampledFrom(l.sweepers).Draw(t, "sweeper")
	s.now = l.now
	l.swept(s, s.sweep())
}

// stay has a sweeper stay up to a minute, and some beat meanwhile.
func (l *lapses) stay(t *rapid.T) {
	s := rapid.SampledFrom(l.sweepers).Draw(t, "sweeper")
	s.now = l.now
	until := l.now.Add(rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute}).Draw(t, "until"))
	began := l.now
	var script []at
	if rapid.Bool().Draw(t, "meanwhile") {
		script = append(script, at{l.now.Sub(epoch) + 5*time.Second, func(s *world) {
			l.now = s.now
			l.expire()
			l.beats(t)
			l.confirms(t)
		}})
	}
	swept, passes, err := s.stays(until.Sub(epoch), script...)
	l.must(err)
	if last := epoch.Add(passes[len(passes)-1]); last.After(l.now) {
		l.now = last
	}
	if most := int(until.Sub(began)/(2*time.Second)) + 2; len(passes) > most {
		t.Fatalf("%d passes in %v: %v", len(passes), until.Sub(began), passes)
	}
	l.expire()
	if next := l.next(); len(passes) == 1 && l.now.Equal(began) && !next.IsZero() && !next.After(until) {
		t.Fatalf("did not stay: one may lapse at %v", next.Sub(epoch))
	}
	if len(script) == 0 && l.now.Equal(epoch.Add(passes[len(passes)-1])) {
		l.swept(s, swept)
	}
}

// swept checks what a sweep at this moment has left.
func (l *lapses) swept(s *world, swept core.Swept) {
	l.expire()
	groups, err := l.store.Groups(l.ctx, nil)
	l.must(err)
	for _, g := range groups {
		if l.living[g.Name] == nil && len(g.Replicas) > 0 {
			l.t.Fatalf("%s is not evicted at %v", g.Name, l.now.Sub(epoch))
		}
		if g.Intent.Replicas || g.Intent.Many || len(g.Intent.Topics)+len(g.Outbox) > 0 || g.Writer.ID != "" {
			l.t.Fatalf("something waits: %+v", g)
		}
	}
	next := l.next()
	if swept.Next.After(next) || swept.Next.IsZero() != next.IsZero() {
		l.t.Fatalf("next deadline %v, should be %v at most", swept.Next.Sub(epoch), next.Sub(epoch))
	}
	l.compareGroups()
}

func (l *lapses) compare(*rapid.T) {
	l.expire()
	l.compareGroups()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l.living)) {
		parts = append(parts, fmt.Sprintf("%s@c1{0=a%s} 8/8/6", name, name[1:]))
	}
	want := strings.Join(parts, "; ")
	if want == "" {
		want = "none"
	}
	l.equal(fmt.Sprint("route at ", l.now.Sub(epoch)), l.route("T"), want)
}

func (l *lapses) compareGroups() {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l.living)) {
		parts = append(parts, fmt.Sprintf("%s@c1{0=a%s}", name, name[1:]))
	}
	l.equal(fmt.Sprint("groups at ", l.now.Sub(epoch)), l.groups(), strings.Join(parts, "; "))
}
