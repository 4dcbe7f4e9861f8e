package follow_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signpost/core"
)

// answer is what the file has of a question, as text.
func (s *shim) answer(question string) string {
	body, given, ok := s.KeptAnswer(question)
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s %v", body, time.Since(given).Round(time.Minute))
}

func (s *shim) wantAnswer(question, want string) {
	s.t.Helper()
	if got := s.answer(question); got != want {
		s.t.Errorf("%s: %.100q, want %.100q", question, got, want)
	}
}

// What was answered last, and when, is known after a restart.
func TestAnswersAreKept(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := filepath.Join(t.TempDir(), "routes")
		s := start(t, c)
		s.KeepAnswer("q", []byte("nowhere"), time.Now())
		s.wantAnswer("q", "none")
		s.stop()

		s = start(t, c, at(path))
		s.wantAnswer("q", "none")
		s.KeepAnswer("q", []byte("first"), time.Now())
		s.KeepAnswer("r", []byte("of r"), time.Now())
		s.stop()
		pass(time.Hour)
		s = start(t, c, at(path))
		s.wantAnswer("q", "first 1h0m0s")
		s.KeepAnswer("q", []byte("second"), time.Now())
		pass(time.Minute)
		s.wantAnswer("q", "second 1m0s")
		s.wantAnswer("r", "of r 1h1m0s")
		s.stop()
	})
}

// There is room for some only: the oldest go.
func TestAnswersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := start(t, c, at(filepath.Join(t.TempDir(), "routes")))
		keep := func(what string, n int, body string) {
			for i := range n {
				s.KeepAnswer(fmt.Sprint(what, " ", i), []byte(body), time.Now().Add(time.Duration(i-n)*time.Second))
			}
			pass(30 * time.Second)
		}
		keep("small", 200, "x")
		s.wantAnswer("small 71", "none")
		s.wantAnswer("small 72", "x 3m0s")
		s.wantAnswer("small 199", "x 1m0s")
		large := strings.Repeat("x", 3<<20)
		keep("large", 7, large)
		s.wantAnswer("large 1", "none")
		s.wantAnswer("small 199", "none")
		s.wantAnswer("large 2", large+" 1m0s")
		s.KeepAnswer("huge", []byte(large+large), time.Now())
		pass(5 * time.Second)
		s.wantAnswer("huge", "none")
	})
}

// A record that is damaged is none, and is said once.
func TestADamagedAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := filepath.Join(t.TempDir(), "routes")
		s := start(t, c, at(path))
		s.KeepAnswer("q", []byte("right"), time.Now())
		s.KeepAnswer("r", []byte("right"), time.Now())
		s.stop()
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("answers"))
			return b.Put([]byte("q"), b.Get([]byte("r")))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		s = start(t, c, at(path))
		s.wantAnswer("q", "none")
		s.wantAnswer("r", "right 0s")
		pass(5 * time.Second)
		s.wantAnswer("q", "none")
		if n := s.log.with("cannot be read"); n != 1 {
			t.Errorf("%d log lines", n)
		}
	})
}

// Kept are all routes, and the last word on each broker comes last.
func TestKeptRoutes(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		pass(15 * time.Minute) // nobody asks for them
		s.want("T", "a 0/8")
		s.Seen(context.Background(), c.register(other, "b", 0, "T", "U"))
		s.want("T", "a 0/8 b 0/8")
		pass(time.Minute)
		routes, right := s.Kept(time.Now())
		if len(routes) != 2 || routes[0].Topic != "U" || routes[1].Topic != "T" {
			t.Errorf("%v", routes)
		}
		if age := time.Since(right); age < time.Minute || age > 2*time.Minute {
			t.Errorf("all of it was right %v ago", age)
		}
	})
}

// How it stands: trouble is what has been seen, not that nothing was tried yet.
func TestStanding(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		c.set(func() { c.fault = down })
		s := start(t, c)
		if got := s.Standing(); got.Connected || got.Trouble != nil {
			t.Errorf("at first: %+v", got)
		}
		pass(10 * time.Second)
		if got := s.Standing(); got.Connected || !errors.Is(got.Trouble, core.ErrUnavailable) {
			t.Errorf("in an outage: %+v", got)
		}
		c.set(func() { c.fault = nil })
		pass(10 * time.Second)
		before := s.Standing()
		if !before.Connected || before.Trouble != nil {
			t.Errorf("after it: %+v", before)
		}
		c.empty()
		pass(time.Minute)
		if got := s.Standing(); got.Era == before.Era {
			t.Errorf("with an empty table: %+v, before it %+v", got, before)
		}
	})
}
