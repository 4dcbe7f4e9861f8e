package parity

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settle is how long the servers may differ after a step that Java finishes
// later than it answers, once what Java had put off is done. settleFar is how
// long those may whose state is elsewhere: until a beat has told them, and their
// calls came through on a busy machine. Nothing waits for either to pass.
const (
	settle    = 2 * time.Second
	settleFar = 30 * time.Second
)

// Pair is the Java server and the one here, which are to be the same.
type Pair struct {
	Java *Server
	Here *Server
	// Beside are more servers of ours that stand for one with Here: all are
	// told the same, and have to answer the same.
	Beside []*Server
	// Settles says that servers of ours hear of each other a moment later, so
	// that after any step they may differ for that long.
	Settles bool
	// Old says that Java is a 4.x: what that does not know is not asked.
	Old bool
	// Deletes says that registrations delete what they do not name
	// (deleteTopicWithBrokerRegistration).
	Deletes bool
}

// Run is one sequence of steps on a pair.
type Run struct {
	pair    Pair
	names   names
	queries []query

	java, here Facts           // the last observations
	stale      map[string]bool // see noteMappings
	Accepted   map[string]int  // how often each accepted difference was met, by its name
	Steps      []Step          // done so far
}

// NewRun begins a sequence. No two of the same pair may have the same number.
func (p Pair) NewRun(number int) *Run {
	n := namesOf(number)
	if p.Settles {
		n.lapse = lapseFar
	}
	return &Run{pair: p, names: n, queries: n.queries(p.Old), stale: map[string]bool{}, Accepted: map[string]int{}}
}

// Do does a step to both servers and returns what then differs and is not
// accepted. An error means that the servers could not be compared.
func (r *Run) Do(ctx context.Context, s Step) ([]Difference, error) {
	r.Steps = append(r.Steps, s)
	java, err := s.do(ctx, r.pair.Java, r.names)
	if err != nil {
		return nil, fmt.Errorf("Java: %w", err)
	}
	here, err := r.heard(ctx, s, r.pair.Here)
	if err != nil {
		return nil, fmt.Errorf("here: %w", err)
	}
	apart, err := r.doBeside(ctx, s, here)
	if err != nil {
		return nil, err
	}
	if err := r.finish(ctx, s, java, here); err != nil {
		return nil, err
	}
	if r.pair.Settles {
		if err := r.succeed(ctx); err != nil {
			return nil, err
		}
	}
	rest, err := r.compare(ctx, s, java, here, apart)
	if err != nil || len(rest) == 0 || !s.late() && !r.pair.Settles {
		return rest, err
	}
	within := settle
	if r.pair.Settles {
		within = settleFar
	}
	err = poll(ctx, within, func() (bool, error) {
		rest, err = r.compare(ctx, s, java, here, apart)
		return len(rest) == 0, err
	})
	if err != nil && ctx.Err() == nil && len(rest) > 0 {
		err = nil // they still differ: that is the result
	}
	return rest, err
}

// doBeside does a step to the servers beside the one here, and returns how
// their answers differ from its.
func (r *Run) doBeside(ctx context.Context, s Step, here Facts) (apart []Difference, err error) {
	for _, server := range r.pair.Beside {
		answer, err := r.heard(ctx, s, server)
		if err != nil {
			return nil, fmt.Errorf("beside: %w", err)
		}
		apart = append(apart, beside(differences(here, answer))...)
	}
	return apart, nil
}

// heard does a step to a server of ours: again, as brokers and tools do, if it
// could not reach those that know.
func (r *Run) heard(ctx context.Context, s Step, server *Server) (f Facts, err error) {
	err = poll(ctx, settleFar, func() (bool, error) {
		f, err = s.do(ctx, server, r.names)
		return err != nil || f[unheardFact] == "", err
	})
	return f, err
}

// beside marks what is not between Java and here, but between here and the
// server beside it.
func beside(d []Difference) []Difference {
	for i := range d {
		d[i].Fact = "beside: " + d[i].Fact
	}
	return d
}

// all are the servers that are told of every step.
func (p Pair) all() []*Server { return append([]*Server{p.Java, p.Here}, p.Beside...) }

// Close closes all connections.
func (p Pair) Close() {
	for _, s := range p.all() {
		s.Close()
	}
}

// finish waits for what a step has begun.
func (r *Run) finish(ctx context.Context, s Step, java, here Facts) error {
	reg, ok := s.(Register)
	switch {
	case ok && reg.Lapse:
		for _, server := range r.pair.all() {
			if err := server.awaitGone(ctx, r.names.broker(reg.Broker), r.names.addr(reg.Broker, reg.Addr)); err != nil {
				return fmt.Errorf("%s lapses: %w", r.names.addr(reg.Broker, reg.Addr), err)
			}
			// Java closes the connections of those who lapse.
			server.hangUp(reg.connKey())
		}
	case ok:
		return r.sweepRefused(ctx, reg, java, here)
	}
	if s.late() {
		return r.pair.Java.drain(ctx, r.names)
	}
	return nil
}

// sweepRefused removes what Java keeps of a refused broker that it did not
// know: a group without addresses.
func (r *Run) sweepRefused(ctx context.Context, reg Register, java, here Facts) error {
	const code = "answer: code"
	if r.pair.Old || java[code] != "1" || here[code] != "1" {
		return nil
	}
	known, err := r.pair.Here.lists(ctx, r.names.broker(reg.Broker), "")
	if err != nil || known {
		return err
	}
	if known, err = r.pair.Java.lists(ctx, r.names.broker(reg.Broker), ""); err != nil || !known {
		return err
	}
	r.Accepted[refusedLeftover.Name]++
	u := Unregister{Broker: reg.Broker, ID: reg.ID, Addr: reg.Addr, Cluster: reg.Cluster}
	if _, err := u.do(ctx, r.pair.Java, r.names); err != nil {
		return err
	}
	return r.pair.Java.drain(ctx, r.names)
}

// compare observes both servers and returns the differences that no rule
// accepts, those of the answers to the step among them.
func (r *Run) compare(ctx context.Context, s Step, javaAnswer, hereAnswer Facts, apart []Difference) (rest []Difference, err error) {
	if r.java, err = r.pair.Java.observe(ctx, r.names, r.queries); err != nil {
		return nil, fmt.Errorf("Java: %w", err)
	}
	before := r.here
	if r.here, err = r.pair.Here.observe(ctx, r.names, r.queries); err != nil {
		return nil, fmt.Errorf("here: %w", err)
	}
	r.noteMappings(s, before)
	all := append(differences(javaAnswer, hereAnswer), differences(r.java, r.here)...)
	for _, d := range all {
		if by := r.acceptedBy(s, d); by != nil {
			r.Accepted[by.Name]++
			continue
		}
		rest = append(rest, d)
	}
	rest = append(rest, apart...)
	for _, server := range r.pair.Beside {
		facts, err := server.observe(ctx, r.names, r.queries)
		if err != nil {
			return nil, fmt.Errorf("beside: %w", err)
		}
		rest = append(rest, beside(differences(r.here, facts))...)
	}
	return rest, nil
}

// CleanUp removes what the sequence may have left on both servers, so that
// lists stay short, and closes its connections.
func (r *Run) CleanUp(ctx context.Context) error {
	for _, s := range r.pair.all() {
		for k := range s.conns {
			s.hangUp(k)
		}
		defer s.Close()
	}
	// Java knows whose a connection is only as long as nobody unregisters.
	if err := r.pair.Java.drain(ctx, r.names); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	// Those beside the one here have the same state.
	return errors.Join(r.cleanUp(ctx, r.pair.Java), r.cleanUp(ctx, r.pair.Here))
}

func (r *Run) cleanUp(ctx context.Context, s *Server) error {
	var steps []Step
	for b := range Brokers {
		for a := range Addresses {
			for c := range Clusters {
				steps = append(steps, Unregister{b, 0, a, c})
				for id := int64(1); id <= MaxID && r.pair.Old; id++ { // 4.x goes by id
					steps = append(steps, Unregister{b, id, a, c})
				}
			}
		}
	}
	for t := range Topics {
		steps = append(steps, DeleteTopic{Topic: t})
	}
	for n := range Namespaces {
		for k := range Keys {
			steps = append(steps, DeleteKV{n, k})
		}
	}
	for _, step := range steps {
		if _, err := step.do(ctx, s, r.names); err != nil {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	return nil
}
