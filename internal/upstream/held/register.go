package held

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// Register takes a broker's registration (request code 103).
//
// An unchanged one ends here. Anything else is answered when the cloud has
// answered it; or after a few seconds, or at once while the cloud cannot be
// reached, by what is known here, and the cloud hears it later. A refusal
// undoes nothing that was accepted before.
//
// Errors: *core.FieldError, Content's own, and what the local registry or the
// cloud refuses it for.
func (b *Brokers) Register(ctx context.Context, now time.Time, reg core.Registration) (core.Registered, error) {
	if answer, ok, err := b.Renew(ctx, now, reg); ok || err != nil {
		return answer, err
	}
	for _, name := range [...]struct{ field, value string }{
		{"brokerName", reg.Broker}, {"clusterName", reg.Cluster}, {"brokerAddr", reg.Addr}, {"haServerAddr", reg.HAAddr}, {"__ZONE_NAME", reg.Zone},
	} {
		// Said to the cloud, it would spoil the calls of others.
		if err := api.CheckName(name.field, name.value); err != nil {
			return core.Registered{}, err
		}
	}
	content, x, err := b.pack(ctx, reg)
	if err != nil {
		return core.Registered{}, err
	}
	x, err = b.take(ctx, now, reg, content, x)
	switch {
	case errors.Is(err, errSuperseded):
		return core.Registered{}, nil
	case err != nil:
		return core.Registered{}, err
	case x == nil:
		return b.answer(reg), nil
	}
	return b.await(ctx, reg, x)
}

// errSuperseded says that a controller gave the broker's id to somebody newer:
// it is quietly not registered, and told of no master (Java:
// RouteInfoManager.registerBroker, by the stateVersion).
var errSuperseded = errors.New("its id is somebody newer's")

// pack decodes the body and compresses it again, in the words of the API.
func (b *Brokers) pack(ctx context.Context, reg core.Registration) (core.Content, *body, error) {
	resume := core.Waiting(ctx)
	select {
	case b.packing <- struct{}{}:
		resume()
	case <-ctx.Done():
		resume()
		return core.Content{}, nil, context.Cause(ctx)
	}
	defer func() { <-b.packing }()
	content, err := reg.Content()
	if err != nil {
		return core.Content{}, nil, err
	}
	packed, err := api.NewBody(content)
	if err != nil {
		return core.Content{}, nil, fmt.Errorf("pack the body: %w", err)
	}
	return content, &body{digest: reg.Digest, content: packed, names: namesOf(b.seed, content), done: make(chan struct{})}, nil
}

// take lets the local registry judge the registration, and notes it. It returns
// the body whose answer is to be awaited; nil if the cloud need not hear of it.
//
// That a broker which is not known here sends one topic only is for the cloud to
// judge: after a restart of this process it knows the broker, and what else that
// has. The broker is gone, as far as this is concerned, until it says all of it.
func (b *Brokers) take(ctx context.Context, now time.Time, reg core.Registration, content core.Content, x *body) (*body, error) {
	defer b.statement(reg.Broker)()
	judged := reg
	judged.Content = func() (core.Content, error) { return content, nil }
	_, refusal := b.o.Local.Register(ctx, now, judged)
	if refusal != nil && !errors.Is(refusal, core.ErrRefused) {
		return nil, refusal
	}
	lg, err := b.local(ctx, now, reg.Broker)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if refusal != nil && (b.trouble.down || contains(lg, reg.Addr)) {
		return nil, refusal
	}
	g := b.group(reg.Broker)
	defer b.changed(g)
	said := now.Add(-max(reg.Age, 0))
	if r := g.find(reg.Addr); r != nil && r.held && said.After(r.deadline()) {
		r.leave(r.deadline(), false) // nobody has noticed, but the local registry just now
	}
	b.reconcile(g, lg, now, said)
	if refusal == nil && !slices.ContainsFunc(lg.Replicas, func(r core.Replica) bool { return r.Addr == reg.Addr && r.ID == reg.ID }) {
		return nil, errSuperseded
	}
	r := g.at(reg.Cluster, strings.Clone(reg.Addr), reg.ID)
	r.held, r.gone, r.strange = true, refusal != nil, false
	r.reg = reg
	r.reg.Digest, r.reg.Content, r.reg.Age = 0, nil, 0
	r.version, r.filters = content.DataVersion, content.FilterServers
	r.hear(said)
	if said.After(r.said) {
		r.said = said
	}
	if old := r.find(reg.Digest); old != nil {
		old.before, old.said = false, said
		if old.accepted {
			r.shown = true // it is answered now, and its end may be under way to the cloud
			return nil, nil
		}
		old.reopen()
		return old, nil
	}
	x.since, x.said = said, said
	r.say(x)
	return x, nil
}

// await returns what the cloud says to the body, or what is known here if that
// takes too long.
func (b *Brokers) await(ctx context.Context, reg core.Registration, x *body) (core.Registered, error) {
	b.mu.Lock()
	done := x.done
	b.mu.Unlock()
	settled := b.settled(ctx, done, false)
	b.mu.Lock()
	defer b.mu.Unlock()
	if settled {
		return x.answer, x.err
	}
	if g, r := b.find(reg.Broker, reg.Addr); r != nil && r.held {
		if r.gone {
			return core.Registered{}, fmt.Errorf("%w: %s is not known here, sends one topic only, and the API was not heard", core.ErrRefused, reg.Addr)
		}
		r.shown = true
		b.refresh(g)
	}
	b.o.Observer.Answered()
	return b.answerLocked(reg), nil
}

// settled waits until done, but not for long; and not while the cloud cannot be
// reached, unless its own word is wanted.
func (b *Brokers) settled(ctx context.Context, done <-chan struct{}, wanted bool) bool {
	defer core.Waiting(ctx)()
	b.mu.Lock()
	down := b.trouble.began
	b.mu.Unlock()
	if wanted {
		down = nil
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-down:
	case <-timer.C:
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// Renew takes an unchanged registration, which is one that the cloud has
// accepted word for word. False says that Register has to hear it. It never
// waits.
func (b *Brokers) Renew(ctx context.Context, now time.Time, reg core.Registration) (core.Registered, bool, error) {
	said := now.Add(-max(reg.Age, 0))
	b.mu.Lock()
	_, r := b.find(reg.Broker, reg.Addr)
	if r == nil || !r.held || r.gone || r.refused || r.drop != nil {
		b.mu.Unlock()
		return core.Registered{}, false, nil
	}
	x := r.find(reg.Digest)
	if x == nil || !x.accepted {
		b.mu.Unlock()
		return core.Registered{}, false, nil
	}
	if said.After(x.said) {
		x.said = said
	}
	if said.After(r.said) {
		r.said = said
	}
	r.hear(said)
	answer := b.answerLocked(reg)
	b.mu.Unlock()

	// A split registration has several digests, so the local registry is told
	// that the broker is there and not what it says.
	heard, err := b.o.Local.Beat(ctx, now, core.Beat{
		Cluster: reg.Cluster, Broker: reg.Broker, ID: reg.ID, HasID: true, Addr: reg.Addr, Front: reg.Front, Age: reg.Age,
	})
	if err != nil || heard != core.BeatOK {
		return core.Registered{}, false, err
	}
	return answer, true, nil
}

// answer tells a slave where its master is, by what is known here.
func (b *Brokers) answer(reg core.Registration) core.Registered {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answerLocked(reg)
}

func (b *Brokers) answerLocked(reg core.Registration) (answer core.Registered) {
	if g := b.groups[reg.Broker]; g != nil && reg.ID != core.MasterID {
		if m, ok := g.merged.Master(); ok {
			answer.MasterAddr, answer.HAAddr = m.Addr, m.HAAddr
		}
	}
	return answer
}

// Beat takes a light heartbeat (322 and 904). It ends here: that a broker is
// there is what the session says for it.
func (b *Brokers) Beat(ctx context.Context, now time.Time, beat core.Beat) (core.BeatAnswer, error) {
	answer, err := b.o.Local.Beat(ctx, now, beat)
	if err != nil {
		return answer, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// What is gone here may still be held there: it has its time as well.
	if _, r := b.find(beat.Broker, beat.Addr); r != nil && r.held && (r.gone || answer != core.BeatRegister) {
		r.hear(now.Add(-max(beat.Age, 0)))
	}
	return answer, nil
}

// DataVersion returns the version that the broker at that address has
// registered here (322). core.ErrNotFound if it has to register.
func (b *Brokers) DataVersion(ctx context.Context, now time.Time, cluster, broker, addr string) (core.DataVersion, error) {
	b.mu.Lock()
	_, r := b.find(broker, addr)
	known := r != nil && r.held && !r.gone && !r.refused
	b.mu.Unlock()
	if !known {
		return core.DataVersion{}, fmt.Errorf("broker %s at %s: %w", broker, addr, core.ErrNotFound)
	}
	return b.o.Local.DataVersion(ctx, now, cluster, broker, addr)
}
