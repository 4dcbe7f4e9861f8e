package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// seen is an Observer that keeps what it is told.
type seen struct {
	mu      sync.Mutex
	results []string
	took    []time.Duration
	offsets []time.Duration
}

func (s *seen) Called(call, result string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results, s.took = append(s.results, call+" "+result), append(s.took, took)
}

func (s *seen) ClockOffset(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offsets = append(s.offsets, offset)
}

// script answers the calls in turn, the last one for ever.
func script(handlers ...http.HandlerFunc) http.RoundTripper {
	var mu sync.Mutex
	var next int
	return inProcess(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(next, len(handlers)-1)]
		next++
		mu.Unlock()
		h(w, r)
	})
}

// good is the answer to a beat of a session that knows nothing.
func good(w http.ResponseWriter, _ *http.Request) {
	ours(w)
	io.WriteString(w, `{"revision":7,"complete":true,"changes":[],"sessions":[]}`)
}

func ours(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Signpost-Revision", "7")
	w.Header().Set("Signpost-Valid-For", "0")
	w.Header().Set("Signpost-Guarded", "false")
}

// says answers a status with a body of a type, and headers in pairs.
func says(status int, mediaType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// hangs never answers.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const (
	typeProblem = "application/problem+json"
	typeJSON    = "application/json"
)

func problem(name string) string {
	return `{"type":"urn:signpost:problem:` + name + `","title":"A title","status":400,"detail":"what was wrong"}`
}

func scripted(t *testing.T, o api.Options, handlers ...http.HandlerFunc) (*api.Client, *seen) {
	s := &seen{}
	o.Observer, o.Endpoint = s, "http://api.invalid/stage"
	if o.Transport == nil {
		o.Transport = script(handlers...)
	}
	return newClient(t, o), s
}

// unreachable checks that err says that there was no answer.
func unreachable(t *testing.T, err error) *api.UnreachableError {
	t.Helper()
	var no *api.UnreachableError
	if !errors.As(err, &no) || !errors.Is(err, core.ErrUnavailable) {
		t.Fatalf("got %v, want an UnreachableError", err)
	}
	if no.Call == "" || no.Reason == "" || strings.Contains(no.Reason, "api.invalid") {
		t.Errorf("%+v is not fit for a peer", no)
	}
	return no
}

func TestAttempts(t *testing.T) {
	throttled := says(429, typeJSON, `{"message":"Too Many Requests"}`)
	for _, c := range []struct {
		name    string
		answers []http.HandlerFunc
		results string // of the attempts
		status  int    // of the error; -1 is none
	}{
		{"good at once", []http.HandlerFunc{good}, "ok", -1},
		{"throttled twice", []http.HandlerFunc{throttled, throttled, good}, "throttled throttled ok", -1},
		{"throttled for ever", []http.HandlerFunc{throttled}, "throttled throttled throttled", 429},
		{"no connection", []http.HandlerFunc{breaks, good}, "unconnected ok", -1},
		{"never a connection", []http.HandlerFunc{breaks}, "unconnected unconnected unconnected", 0},
		{"no answer", []http.HandlerFunc{hangs, good}, "late ok", -1},
		{"never an answer", []http.HandlerFunc{hangs}, "late late late", 0},
		{"failed", []http.HandlerFunc{says(500, typeJSON, `{"message":"Internal Server Error"}`), says(502, "text/html", "<h1>"), good}, "failed failed ok", -1},
		{"failed, in its own words", []http.HandlerFunc{says(503, typeProblem, problem("unavailable")), good}, "failed ok", -1},
		{"a problem that is none of ours", []http.HandlerFunc{says(503, typeProblem, `{"type":"about:blank"}`), good}, "failed ok", -1},
		{"busy", []http.HandlerFunc{says(409, typeProblem, problem("busy")), good}, "refused ok", -1},
		{"damaged", []http.HandlerFunc{says(200, "text/html", "<h1>Log in</h1>"), good}, "malformed ok", -1},
		{"not allowed", []http.HandlerFunc{says(403, typeJSON, `{"message":"Forbidden"}`)}, "denied", 403},
		{"not known", []http.HandlerFunc{says(401, typeJSON, `{"message":"Unauthorized"}`)}, "denied", 401},
		{"elsewhere", []http.HandlerFunc{says(307, typeJSON, `{}`, "Location", "http://elsewhere.invalid/")}, "malformed", 307},
		{"nowhere", []http.HandlerFunc{says(404, typeJSON, `{"message":"Not Found"}`)}, "malformed", 404},
		{"no such call", []http.HandlerFunc{says(404, typeProblem, problem("no-such-call"))}, "malformed", 404},
		{"another success", []http.HandlerFunc{says(204, "", "")}, "malformed", 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, seen := scripted(t, api.Options{}, c.answers...)
				_, err := client.BeatSession(t.Context(), "s-1", 0)
				if got := strings.ReplaceAll(strings.Join(seen.results, " "), "beatSession ", ""); got != c.results {
					t.Errorf("attempts came to %q, want %q", got, c.results)
				}
				if c.status < 0 {
					if err != nil {
						t.Error(err)
					}
				} else if no := unreachable(t, err); no.Status != c.status || no.Call != "beatSession" {
					t.Errorf("%+v", no)
				}
			})
		})
	}
}

func TestAttemptHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, seen := scripted(t, api.Options{}, hangs)
		began := time.Now()
		client.BeatSession(t.Context(), "s-1", 0)
		if took := time.Since(began); took < 6*time.Second || took >= 6600*time.Millisecond {
			t.Errorf("three attempts of 2 s took %v", took)
		}
		for _, took := range seen.took {
			if took != 2*time.Second {
				t.Errorf("an attempt took %v", took)
			}
		}
		began = time.Now()
		client.Register(t.Context(), "s-1", api.Registration{Body: bodyOf(t, content("t1"))})
		if took := time.Since(began); took < 84*time.Second || took >= 85*time.Second {
			t.Errorf("three attempts of 28 s took %v", took)
		}
	})
}

func TestCallersDeadlineEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, seen := scripted(t, api.Options{}, hangs)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := client.BeatSession(ctx, "s-1", 0)
		if no := unreachable(t, err); !errors.Is(no, context.DeadlineExceeded) || no.Reason != "the API did not answer in time" {
			t.Errorf("%v: %v", no.Reason, err)
		}
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		same(t, "the attempts", seen.results, []string{"beatSession late", "beatSession given_up"})

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err = client.BeatSession(ctx, "s-1", 0); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}

func TestRetryAfterIsHonouredWithinTheDeadline(t *testing.T) {
	for _, c := range []struct {
		header   string
		deadline time.Duration
		attempts int
		waits    time.Duration
	}{
		{"1", time.Minute, 3, 2 * time.Second},
		{"3", 2 * time.Second, 1, 0},
		{"3", 4 * time.Second, 2, 3 * time.Second},
		{"30", time.Minute, 1, 0}, // longer than a call waits by itself
		{"soon", time.Minute, 3, 0},
		{"Wed, 02 Jan 2030 03:04:08 GMT", time.Minute, 3, 6 * time.Second},
	} {
		t.Run(fmt.Sprint(c.header, " within ", c.deadline), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, seen := scripted(t, api.Options{}, says(429, typeJSON, "{}", "Retry-After", c.header, "Date", epoch.Format(http.TimeFormat)))
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				began := time.Now()
				_, err := client.BeatSession(ctx, "s-1", 0)
				unreachable(t, err)
				if took := time.Since(began); len(seen.results) != c.attempts || took < c.waits || took > c.waits+600*time.Millisecond {
					t.Errorf("%d attempts in %v, want %d in %v", len(seen.results), took, c.attempts, c.waits)
				}
			})
		})
	}
	client, _ := scripted(t, api.Options{}, says(429, typeJSON, "{}", "Retry-After", "30"))
	_, err := client.BeatSession(t.Context(), "s-1", 0)
	if no := unreachable(t, err); no.RetryAfter != 30*time.Second {
		t.Errorf("the caller is told to wait %v", no.RetryAfter)
	}
}

func TestPausesAreJittered(t *testing.T) {
	var pauses []time.Duration
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			client, _ := scripted(t, api.Options{}, breaks, good)
			began := time.Now()
			if _, err := client.BeatSession(t.Context(), "s-1", 0); err != nil {
				t.Fatal(err)
			}
			pauses = append(pauses, time.Since(began))
		})
	}
	var short, long int
	for _, p := range pauses {
		switch {
		case p >= 200*time.Millisecond:
			t.Errorf("a first pause of %v", p)
		case p < 100*time.Millisecond:
			short++
		default:
			long++
		}
	}
	if short == 0 || long == 0 { // once in 2^49
		t.Errorf("%d pauses are short and %d long", short, long)
	}
}

func TestAgeIsThatOfTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ages []string
		client, _ := scripted(t, api.Options{Uncompressed: true}, func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, age, _ := strings.Cut(string(body), `"age":`)
			age, _, _ = strings.Cut(age, "}")
			ages = append(ages, age)
			<-r.Context().Done()
		})
		said := time.Now()
		time.Sleep(5 * time.Second)
		client.Beats(t.Context(), "s-1", []api.Beat{{Said: said}})
		var last int
		for i, a := range ages {
			var age int
			fmt.Sscan(a, &age)
			if age < 5000+i*2010 || age > 5000+i*2010+600 {
				t.Errorf("attempt %d says it is %d ms old", i, age)
			}
			last = age
		}
		if len(ages) != 3 || last == 0 {
			t.Errorf("the ages are %v", ages)
		}
	})
}

func TestTimesOfAnAnswerRunSinceItWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := scripted(t, api.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(1500 * time.Millisecond)
			ours(w)
			w.Header().Set("Signpost-Valid-For", "1000")
			io.WriteString(w, `{"revision":7,"complete":true,"changes":[],"sessions":[{"id":"s-1","gateway":"g","ageMillis":500,"remainingMillis":29500}]}`)
		})
		head, err := client.BeatSession(t.Context(), "s-1", 0)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the session", head.Sessions, []api.SessionLeft{{ID: "s-1", Gateway: "g", Age: 2 * time.Second, Remaining: 28 * time.Second}})
		if head.ValidFor != 0 {
			t.Errorf("it may be kept for %v", head.ValidFor)
		}
	})
}
