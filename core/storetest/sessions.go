package storetest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"signpost/core"
)

func newSession(c *client, id string) core.Session {
	return core.Session{ID: c.name(id), Gateway: "gateway", Owner: "owner", Last: epoch}
}

// live returns this test's sessions that are not closed.
func live(c *client) core.Sessions {
	c.t.Helper()
	return slices.DeleteFunc(slices.Clone(c.sessions()), func(s core.Session) bool {
		return s.Closed || !strings.HasSuffix(s.ID, c.tag)
	})
}

var sessionTests = []test{
	{"opened", func(c *client) {
		full := filled[core.Session](500)
		full.ID, full.Closed = c.name("b"), false
		other := newSession(c, "a")
		last := newSession(c, "c")
		for _, s := range []core.Session{full, last, other} {
			c.must(c.s.OpenSession(c.ctx, s))
		}
		c.same("sessions", live(c), core.Sessions{other, full, last})
		if _, ok := c.session(c.name("none")); ok {
			c.t.Fatal("found a session that was never opened")
		}
	}},
	{"opened once", func(c *client) {
		s := newSession(c, "s")
		c.must(c.s.OpenSession(c.ctx, s))
		other := s
		other.Last, other.Owner = epoch.Add(time.Hour), "other"
		for range 2 {
			c.refused("open again", c.s.OpenSession(c.ctx, other), core.ErrSessionClosed)
		}
		c.same("sessions", live(c), core.Sessions{s})
	}},
	{"a beat moves last forward", func(c *client) {
		s := newSession(c, "s")
		beside := newSession(c, "t")
		c.must(c.s.OpenSession(c.ctx, s))
		c.must(c.s.OpenSession(c.ctx, beside))
		for _, beat := range []struct{ at, last time.Duration }{
			{10 * time.Second, 10 * time.Second},
			{5 * time.Second, 10 * time.Second}, // overtaken on its way
			{10 * time.Second, 10 * time.Second},
			{10*time.Second + core.SessionTimeout, 10*time.Second + core.SessionTimeout}, // the last moment
		} {
			c.must(c.s.BeatSession(c.ctx, s.ID, s.Owner, epoch.Add(beat.at)))
			s.Last = epoch.Add(beat.last)
			c.same("sessions", live(c), core.Sessions{s, beside})
			head, err := c.s.Head(c.ctx, 0, false)
			c.must(err)
			if followed, _ := head.Sessions.Find(s.ID); !followed.Last.Equal(s.Last) {
				c.t.Fatalf("who follows sees the last beat at %v, it was at %v", followed.Last, s.Last)
			}
		}
	}},
	{"a beat raises no revision", func(c *client) {
		s := newSession(c, "s")
		r := c.head(0).Revision
		c.must(c.s.OpenSession(c.ctx, s))
		c.must(c.s.BeatSession(c.ctx, s.ID, s.Owner, epoch.Add(time.Second)))
		c.must(c.s.CloseSession(c.ctx, s.ID, epoch.Add(time.Second)))
		if now := c.head(0).Revision; now != r {
			c.t.Fatalf("revision went from %d to %d", r, now)
		}
	}},
	{"a beat of a session that is not there", func(c *client) {
		c.refused("beat", c.s.BeatSession(c.ctx, c.name("none"), "owner", epoch), core.ErrSessionClosed)
		c.same("sessions", live(c), core.Sessions{})
	}},
	{"a beat too late", func(c *client) {
		s := newSession(c, "s")
		c.must(c.s.OpenSession(c.ctx, s))
		err := c.s.BeatSession(c.ctx, s.ID, s.Owner, epoch.Add(core.SessionTimeout+time.Millisecond))
		c.refused("beat", err, core.ErrSessionClosed)
		c.same("sessions", live(c), core.Sessions{s})
	}},
	{"a beat of another owner", func(c *client) {
		s := newSession(c, "s")
		c.must(c.s.OpenSession(c.ctx, s))
		for _, owner := range []string{"other", "", "Owner"} {
			c.refused("beat", c.s.BeatSession(c.ctx, s.ID, owner, epoch.Add(time.Second)), core.ErrForbidden)
		}
		c.same("sessions", live(c), core.Sessions{s})
	}},
	{"closed if no beat came since", func(c *client) {
		s, beside := newSession(c, "s"), newSession(c, "t")
		c.must(c.s.OpenSession(c.ctx, s))
		c.must(c.s.OpenSession(c.ctx, beside))
		s.Last = epoch.Add(10 * time.Second)
		opened := c.sessions()
		want := canonical(opened)
		c.must(c.s.BeatSession(c.ctx, s.ID, s.Owner, s.Last))
		beaten := c.sessions()
		wantBeaten := canonical(beaten)
		for _, last := range []time.Time{epoch, s.Last.Add(time.Second), {}} {
			c.refused("close", c.s.CloseSession(c.ctx, s.ID, last), core.ErrConflict)
			c.same("sessions", live(c), core.Sessions{s, beside})
		}
		c.must(c.s.CloseSession(c.ctx, s.ID, s.Last))
		c.same("sessions", live(c), core.Sessions{beside})
		c.must(c.s.CloseSession(c.ctx, s.ID, s.Last))
		c.must(c.s.CloseSession(c.ctx, s.ID, epoch)) // closed already, whatever its last beat
		if canonical(opened) != want || canonical(beaten) != wantBeaten {
			c.t.Fatalf("sessions read before changed: %+v, %+v", opened, beaten)
		}
	}},
	{"closed never comes back", func(c *client) {
		s := newSession(c, "s")
		c.must(c.s.OpenSession(c.ctx, s))
		c.must(c.s.CloseSession(c.ctx, s.ID, epoch))
		for range 2 {
			c.refused("beat", c.s.BeatSession(c.ctx, s.ID, s.Owner, epoch.Add(time.Second)), core.ErrSessionClosed)
			s.Last = epoch.Add(time.Minute)
			c.refused("open", c.s.OpenSession(c.ctx, s), core.ErrSessionClosed)
			c.same("sessions", live(c), core.Sessions{})
		}
		err := c.s.BeatSession(c.ctx, s.ID, "other", epoch)
		if !errors.Is(err, core.ErrSessionClosed) && !errors.Is(err, core.ErrForbidden) {
			c.t.Fatalf("another owner's beat of a closed session: %v", err)
		}
	}},
	{"closing what is not there", func(c *client) {
		c.must(c.s.CloseSession(c.ctx, c.name("none"), epoch))
		c.same("sessions", live(c), core.Sessions{})
	}},
}
