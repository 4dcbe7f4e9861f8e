package dynamo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"signpost/core"
)

// answer is what a stand-in for DynamoDB says to one attempt.
type answer struct {
	status int
	body   string
}

var (
	nothing   = answer{200, `{}`}
	throttled = answer{400, `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}`}
	failed    = answer{500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"sorry"}`}
	denied    = answer{400, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}`}
)

// standIn answers each attempt by what say returns, and returns a store on it
// with the number of attempts.
func standIn(t *testing.T, date func() time.Time, say func(attempt int64, body string) answer, opts ...Option) (*Store, *atomic.Int64) {
	t.Helper()
	var attempts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller gave up
		}
		a := say(attempts.Add(1), string(body))
		w.Header().Set("Date", date().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	return New(cfg, "table", opts...), &attempts
}

// refusedBody says that a condition does not hold of the item.
func refusedBody(item string) string {
	return `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no","Item":{` + item + `}}`
}

func TestAttempts(t *testing.T) {
	for _, test := range []struct {
		name     string
		say      func(attempt int64) answer
		attempts int64
		code     string // of the error; "" is none
		later    bool   // it is ErrUnavailable
	}{
		{"at once", func(int64) answer { return nothing }, 1, "", false},
		{"throttled, then done", func(n int64) answer {
			if n < maxAttempts {
				return throttled
			}
			return nothing
		}, maxAttempts, "", false},
		{"throttled", func(int64) answer { return throttled }, maxAttempts, "ThrottlingException", true},
		{"failing", func(int64) answer { return failed }, maxAttempts, "InternalServerError", true},
		{"denied", func(int64) answer { return denied }, 1, "AccessDeniedException", false},
		{"refused", func(int64) answer { return answer{400, refusedBody("")} }, 1, "ConditionalCheckFailedException", false},
	} {
		s, attempts := standIn(t, time.Now, func(n int64, _ string) answer { return test.say(n) })
		_, err := s.Group(t.Context(), "b")
		var api smithy.APIError
		if code := ""; test.code == "" && err != nil || test.code != "" && (!errors.As(err, &api) || api.ErrorCode() != test.code) {
			t.Errorf("%s: got %v%s, want %s", test.name, err, code, test.code)
		}
		if errors.Is(err, core.ErrUnavailable) != test.later {
			t.Errorf("%s: unavailable: %v, want %v: %v", test.name, !test.later, test.later, err)
		}
		if attempts.Load() != test.attempts {
			t.Errorf("%s: %d attempts, want %d", test.name, attempts.Load(), test.attempts)
		}
	}
}

func TestAttemptThatHangsIsGivenUp(t *testing.T) {
	done := make(chan struct{})
	s, attempts := standIn(t, time.Now, func(n int64, _ string) answer {
		if n == 1 {
			<-done
		}
		return nothing
	})
	defer close(done)
	if _, err := s.Group(t.Context(), "b"); err != nil || attempts.Load() != 2 {
		t.Errorf("%d attempts, %v", attempts.Load(), err)
	}
}

func TestAttemptsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, attempts := standIn(t, time.Now, func(int64, string) answer {
		cancel()
		return throttled
	})
	if _, err := s.Group(ctx, "b"); !errors.Is(err, context.Canceled) || errors.Is(err, core.ErrUnavailable) || attempts.Load() != 1 {
		t.Errorf("%d attempts, %v", attempts.Load(), err)
	}
}

// A caller's deadline is no fault of what is asked for: it may be asked again.
func TestWhatADeadlineCutsShortIsUnavailable(t *testing.T) {
	done := make(chan struct{})
	s, _ := standIn(t, time.Now, func(int64, string) answer { <-done; return nothing })
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Group(ctx, "b"); !errors.Is(err, core.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in an attempt: %v", err)
	}
	if err := pause(ctx, 1); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("in a pause: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	if _, err := New(cfg, "table").Group(t.Context(), "b"); !errors.Is(err, core.ErrUnavailable) {
		t.Error(err)
	}
}

// What a batch leaves undone is tried again while it goes on, and given up when
// nothing of it is done any more.
func TestUnprocessedItems(t *testing.T) {
	left := func(n int) answer {
		one := `{"DeleteRequest":{"Key":{"pk":{"S":"a"},"sk":{"S":"b"}}}}`
		return answer{200, `{"UnprocessedItems":{"table":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}}`}
	}
	for _, test := range []struct {
		left     func(attempt int64) int
		attempts int64
		err      error
	}{
		{func(n int64) int { return int(max(0, 20-n)) }, 20, nil},
		{func(int64) int { return 5 }, maxAttempts, core.ErrUnavailable},
	} {
		s, attempts := standIn(t, time.Now, func(n int64, _ string) answer {
			if test.left(n) == 0 {
				return nothing
			}
			return left(test.left(n))
		})
		err := s.batchWrite(t.Context(), manyDeletes(20))
		if !errors.Is(err, test.err) || attempts.Load() != test.attempts {
			t.Errorf("%d attempts, %v, want %d, %v", attempts.Load(), err, test.attempts, test.err)
		}
	}
}

func TestOwnWriteWhoseAnswerWasLostIsKnownAgain(t *testing.T) {
	version := func(body string) string {
		_, rest, _ := strings.Cut(body, `":v":{"N":"`)
		v, _, _ := strings.Cut(rest, `"`)
		return v
	}
	refusedWith := func(v string) answer { return answer{400, refusedBody(`"v":{"N":"` + v + `"}`)} }
	s, _ := standIn(t, time.Now, func(_ int64, body string) answer { return refusedWith(version(body)) })
	if g, err := s.PutGroup(t.Context(), core.Group{Name: "b", Version: 5}); err != nil || g.Version == 5 {
		t.Errorf("own write: %+v, %v", g, err)
	}
	s, _ = standIn(t, time.Now, func(int64, string) answer { return refusedWith("77") })
	if _, err := s.PutGroup(t.Context(), core.Group{Name: "b", Version: 5}); !errors.Is(err, core.ErrConflict) {
		t.Errorf("another's write: %v", err)
	}
}
