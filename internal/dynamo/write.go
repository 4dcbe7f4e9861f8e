package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

const (
	// writeTries bounds how often a write begins anew because the set changed
	// since it was read.
	writeTries = 4
	// runRows is about how many rows are written between two updates of the
	// manifest: what a write that stops half way leaves to be done again.
	runRows = 1000
	// tokenMargin is how long before the end of its token a writer makes its
	// last call, so that the call is over, and clocks may differ, when another
	// writer takes the token.
	tokenMargin = 2 * time.Second
)

// WriteTopics makes the changes in this order (rule 7):
//
//  1. the manifest no longer vouches for the chunks to be changed;
//  2. chunks: what their rows will be, beside the names that leave;
//  3. rows;
//  4. the manifest vouches for those chunks again.
//
// So the set covers every row at any moment. A write that stops leaves chunks
// for which the manifest does not vouch; the next one that meets them reads
// their rows. What is unchanged is judged by the manifest alone.
func (s *Store) WriteTopics(ctx context.Context, w core.TopicWrite) ([]string, error) {
	if err := checkTopics(w); err != nil {
		return nil, err
	}
	// Whoever replaces all has probably changed nothing, and then the manifest
	// as it is now is the answer. Else it is only the first guess, which
	// putManifest proves.
	certain := w.Replace
	var changed []string
	err := errOvertaken
	for try := 0; try < writeTries && errors.Is(err, errOvertaken); try++ {
		tw := topicWriter{s: s, w: w, certain: certain, mend: try == writeTries-2}
		err = tw.write(ctx)
		changed, certain = append(changed, tw.changed...), true
	}
	slices.Sort(changed)
	changed = slices.Compact(changed)
	if err != nil {
		return changed, fmt.Errorf("write topics of %s: %w", w.Broker, err)
	}
	return changed, nil
}

func checkTopics(w core.TopicWrite) error {
	if err := checkName("brokerName", w.Broker); err != nil {
		return err
	}
	for _, t := range w.Put {
		if err := checkName("topicName", t.Name); err != nil {
			return err
		}
		if err := checkMapping(t.Mapping); err != nil {
			return err
		}
	}
	for _, m := range w.Mappings {
		if err := checkMapping(m); err != nil {
			return err
		}
	}
	return nil
}

// checkMapping refuses a mapping that no row could hold.
func checkMapping(m *core.Mapping) error {
	if m == nil {
		return nil
	}
	_, err := rowItem(core.Topic{Mapping: m})
	return err
}

// topicWriter is one try at one write.
type topicWriter struct {
	s       *Store
	w       core.TopicWrite
	certain bool      // reads the manifest as it is now
	mend    bool      // takes what the manifest does not vouch for as damage
	until   time.Time // when its last call may be made; zero is at any time
	changed []string  // topics whose rows were, perhaps, changed
}

func (tw *topicWriter) write(ctx context.Context) error {
	m, err := tw.s.readManifest(ctx, tw.w.Broker, tw.certain)
	if err != nil {
		return err
	}
	if n := chunksFor(len(tw.w.Put)); m.empty() && n > m.chunks() {
		m.sums = make([]sum, n) // nothing is there to be divided
	}
	changes, err := tw.plan(ctx, m)
	if err != nil {
		return err
	}
	if len(changes) == 0 && !tw.certain {
		return errOvertaken // perhaps: nothing that follows would prove the manifest
	}
	ctx, cancel, err := tw.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if n := chunksFor(counted(m, changes)); n > m.chunks() {
		if m, err = tw.divide(ctx, m, n); err != nil {
			return err
		}
		if changes, err = tw.plan(ctx, m); err != nil {
			return err
		}
	}
	if m, err = tw.carryOut(ctx, m, changes); err != nil {
		return err
	}
	if tw.w.Replace && len(tw.w.Put) == 0 {
		return tw.removeSet(ctx, m)
	}
	return nil
}

// counted returns how many topics the set will have.
func counted(m manifest, changes []change) int {
	n := m.count
	for _, c := range changes {
		n += len(c.topics) - c.before
	}
	return n
}

// begin checks that the writer still is the group's, and bounds what follows
// by the end of its token.
func (tw *topicWriter) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	g, err := tw.s.Group(ctx, tw.w.Broker)
	if err != nil {
		return nil, nil, err
	}
	if g.Version == 0 || g.Writer.ID != tw.w.Writer {
		return nil, nil, core.ErrBusy
	}
	if g.Writer.Until.IsZero() {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	tw.until = g.Writer.Until.Add(-tokenMargin)
	ctx, cancel := context.WithTimeoutCause(ctx, tw.until.Sub(tw.s.Now()), core.ErrBusy)
	return ctx, cancel, nil
}

// holds returns ErrBusy when the token is about to end. It precedes every
// call that changes something.
func (tw *topicWriter) holds() error {
	if !tw.until.IsZero() && tw.s.Now().After(tw.until) {
		return core.ErrBusy
	}
	return nil
}

// plan reads the chunks that the manifest does not show to be as wanted and
// returns the changes to be made, those that only settle what another has left
// included.
func (tw *topicWriter) plan(ctx context.Context, m manifest) ([]change, error) {
	r := newRequest(tw.w, m.chunks())
	suspects := r.suspects(m)
	chunks, err := tw.read(ctx, m, suspects)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, n := range suspects {
		was := chunks[n].topics
		c := r.plan(n, was, r.parts[n])
		if m.sums[n] != unsettled {
			if c.empty() {
				continue
			}
			c.before = len(was)
		}
		changes = append(changes, c)
	}
	return changes, tw.keepMappings(ctx, changes)
}

// carryOut makes the changes, a run of chunks at a time.
func (tw *topicWriter) carryOut(ctx context.Context, m manifest, changes []change) (manifest, error) {
	if len(changes) == 0 {
		return m, nil
	}
	m, err := tw.unsettle(ctx, m, changes)
	for err == nil && len(changes) > 0 {
		n, rows := 0, 0
		for n < len(changes) && (n == 0 || rows+changes[n].rows() <= runRows) {
			rows += changes[n].rows()
			n++
		}
		m, err = tw.run(ctx, m, changes[:n])
		changes = changes[n:]
	}
	return m, err
}

// unsettle takes the chunks to be changed out of what the manifest vouches for.
func (tw *topicWriter) unsettle(ctx context.Context, m manifest, changes []change) (manifest, error) {
	next := m.clone()
	for _, c := range changes {
		next.sums[c.n] = unsettled
		next.count -= c.before
	}
	if m.version != 0 && slices.Equal(next.sums, m.sums) {
		return m, nil // another has, and stopped
	}
	if err := tw.holds(); err != nil {
		return m, err
	}
	return tw.s.putManifest(ctx, tw.w.Broker, next)
}

// run writes chunks, then their rows, then vouches for them.
func (tw *topicWriter) run(ctx context.Context, m manifest, changes []change) (manifest, error) {
	var chunks, rows []types.WriteRequest
	next := m.clone()
	for _, c := range changes {
		it, err := chunkItem(c.topics, c.leaving)
		if err != nil {
			return m, err
		}
		chunks = append(chunks, putRequest(chunkKey(tw.w.Broker, m.chunks(), c.n), it))
		for _, t := range c.put {
			if it, err = rowItem(t); err != nil {
				return m, err
			}
			rows = append(rows, putRequest(rowKey(t.Name, tw.w.Broker), it))
		}
		for name := range c.leaving {
			rows = append(rows, deleteRequest(rowKey(name, tw.w.Broker)))
		}
		next.sums[c.n] = c.sum
		next.count += len(c.topics)
	}
	for _, writes := range [][]types.WriteRequest{chunks, rows} {
		if err := tw.holds(); err != nil {
			return m, err
		}
		if len(rows) > 0 && &writes[0] == &rows[0] {
			for _, c := range changes {
				tw.changed = append(tw.changed, c.changed()...)
			}
		}
		if err := tw.s.batchWrite(ctx, writes); err != nil {
			return m, err
		}
	}
	if err := tw.holds(); err != nil {
		return m, err
	}
	return tw.s.putManifest(ctx, tw.w.Broker, next)
}
