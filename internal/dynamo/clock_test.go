package dynamo

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func manyDeletes(n int) []types.WriteRequest {
	list := make([]types.WriteRequest, n)
	for i := range list {
		list[i] = deleteRequest(rowKey("t", string(rune('a'+i))))
	}
	return list
}

// ticker is a machine's clock that shows the same until it is moved.
type ticker struct{ at time.Time }

func (c *ticker) now() time.Time { return c.at }

func TestClockIsCorrectedByTheDateOfAnswers(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour, 3 * time.Second, -3 * time.Second, 1900 * time.Millisecond, 700 * time.Millisecond} {
		machine := &ticker{at: epoch}
		s, _ := standIn(t, func() time.Time { return machine.at.Add(ahead) }, func(int64, string) answer { return nothing }, WithClock(machine.now))
		for range 20 { // at various moments of a second
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			machine.at = machine.at.Add(1050 * time.Millisecond)
		}
		if off := (s.Skew() - ahead).Abs(); off > 60*time.Millisecond && ahead.Abs() >= time.Second || off > time.Second {
			t.Errorf("%v ahead, corrected by %v", ahead, s.Skew())
		}
		if ahead == 0 && s.Skew() != 0 {
			t.Errorf("a right clock was corrected by %v", s.Skew())
		}
		if err := s.CheckClock(); errors.Is(err, ErrSkew) != (ahead.Abs() > MaxSkew) {
			t.Errorf("%v ahead: %v", ahead, err)
		}
		if want := machine.at.Add(s.Skew()).Truncate(time.Millisecond); !s.Now().Equal(want) {
			t.Errorf("now is %v, want %v", s.Now(), want)
		}
	}
}

func TestClockLearnsNoMoreThanAnAnswerProves(t *testing.T) {
	second := func(s float64) time.Time {
		return epoch.Truncate(time.Second).Add(time.Duration(s * float64(time.Second)))
	}
	for _, test := range []struct {
		name                 string
		was                  time.Duration
		sent, received, date float64
		want                 time.Duration
	}{
		{"within", 0, 10.2, 10.3, 10, 0},
		{"within, though the second is another", 0, 10.9, 11.1, 10, 0},
		{"a slow answer proves little", 0, 10, 14, 13, 0},
		{"ahead by what is sure", 0, 10.2, 10.4, 13, 2600 * time.Millisecond},
		{"behind by what is sure", 0, 10.2, 10.4, 7, -2200 * time.Millisecond},
		{"a correction that still fits stays", 2700 * time.Millisecond, 10.2, 10.4, 13, 2700 * time.Millisecond},
		{"a date out of all reason", 0, 10, 10, -1e9, 0},
		{"a clock that was put back", 0, 12, 10, 20, 0},
	} {
		c := &clock{now: time.Now, offset: test.was}
		c.learn(second(test.sent), second(test.received), second(test.date))
		if c.Skew() != test.want {
			t.Errorf("%s: corrected by %v, want %v", test.name, c.Skew(), test.want)
		}
	}
}
