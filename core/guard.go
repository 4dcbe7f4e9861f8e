package core

import (
	"context"
	"maps"
	"slices"
	"time"
)

// The mass-expiry guard (Options.Guard). That all gateways fall silent
// together is more likely the end of what is between them and the store than
// of all their brokers. So a session's lease that runs out while no session is
// alive, of two or more that are known, stands for the guard's time more. That
// is judged at the moment at which the lease runs out: a session that is alive
// then proves that gateways can be heard; one that is opened later does not
// end what the guard holds, for it still has to confirm what it has. Direct
// leases are not guarded, and a session that ran out is refused as ever.

// knownTime is for how long after its last beat a session counts as one that
// is known: those that ran out long before the others did not do it together.
// Leases of brokers with a longer timeout are so never guarded. No session is
// closed before that matters to no lease any more, so no judgement depends on a
// sweep having run.
const knownTime = 2 * DefaultTimeout

// guarded returns the sessions with the guard under which their leases stand.
func (r *Registry) guarded(sessions Sessions) Sessions {
	if r.guard <= 0 {
		return sessions
	}
	sessions = slices.Clone(sessions)
	for i := range sessions {
		sessions[i].guard = r.guard
	}
	return sessions
}

// extended returns until when a lease holds whose own time ends at the
// deadline. A guard counts only once that is over: before, somebody may still
// be heard, and nothing is to be believed for longer.
func (s Sessions) extended(deadline time.Time, guard time.Duration, now time.Time) time.Time {
	if guard > 0 && now.After(deadline) && s.silent(deadline) {
		return deadline.Add(guard)
	}
	return deadline
}

// silent says whether just after that moment none of the sessions was alive,
// of two or more that were known then.
func (s Sessions) silent(at time.Time) bool {
	_, known := s.silence(at)
	return known > 1
}

// silence returns since when none of the sessions was alive just after that
// moment, and how many were known then; none if one was alive.
func (s Sessions) silence(at time.Time) (since time.Time, known int) {
	for _, session := range s {
		switch {
		case session.Closed || session.Opened.After(at) || at.After(session.Last.Add(knownTime)):
		case session.Deadline().After(at):
			return time.Time{}, 0
		default:
			since, known = later(since, session.Deadline()), known+1
		}
	}
	return since, known
}

// witness says whether a guard may still rest on what is known of the session.
func (s Session) witness(now time.Time) bool {
	return s.guard > 0 && !now.After(s.Last.Add(knownTime+s.guard))
}

// Guarded says whether brokers may be there at now by the mass-expiry guard
// alone, or soon will be: a lease of one of the sessions, with the usual
// timeout, is held by it, or will be when its own time is over. The sessions
// are such as a Registry has handed out.
func (s Sessions) Guarded(now time.Time) bool {
	return slices.ContainsFunc(s, func(session Session) bool {
		deadline := session.Last.Add(DefaultTimeout)
		if session.guard <= 0 || session.Closed || now.After(deadline.Add(session.guard)) {
			return false
		}
		if now.Before(deadline) {
			deadline = now
		}
		return s.silent(deadline)
	})
}

// held counts the replicas that are there by the guard alone, and returns the
// event for each time of silence that it bridges.
func (inv *inventory) held(p pass) (replicas int, events []Event) {
	silences := map[int64]Event{}
	for _, g := range inv.groups {
		for _, x := range g.Replicas {
			if x.Alive(p.own, p.now) || !x.Alive(p.sessions, p.now) {
				continue
			}
			replicas++
			for _, l := range x.Leases {
				if p.now.After(l.deadline(x.Timeout, p.sessions, p.now)) {
					continue
				}
				since, known := p.own.silence(l.deadline(x.Timeout, p.own, p.now))
				silences[since.UnixNano()] = Event{Kind: MassExpiryHeld, At: since, Count: known}
			}
		}
	}
	for _, at := range slices.Sorted(maps.Keys(silences)) {
		events = append(events, silences[at])
	}
	return replicas, events
}

// tellHeld hands the sink the events that it has not accepted yet and returns
// those that it has. They are in no group's outbox: what they tell is derived
// from the sessions, so each pass finds them again, the same in all fields, as
// long as the guard holds.
func (r *Registry) tellHeld(ctx context.Context, held, told []Event) []Event {
	fresh := slices.DeleteFunc(slices.Clone(held), func(e Event) bool { return slices.ContainsFunc(told, e.same) })
	told = slices.DeleteFunc(slices.Clone(held), func(e Event) bool { return !slices.ContainsFunc(told, e.same) })
	if len(fresh) == 0 {
		return told
	}
	accepted, _ := r.sink.Publish(ctx, slices.Clone(fresh)) // its trouble is not the sweep's
	return append(told, fresh[:max(0, min(accepted, len(fresh)))]...)
}
