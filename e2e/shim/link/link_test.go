package link

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

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard is an API that answers what it was told.
type heard struct {
	mu    sync.Mutex
	calls []string
}

func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	h.mu.Lock()
	h.calls = append(h.calls, r.URL.RequestURI()+" "+string(body))
	h.mu.Unlock()
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.calls, ", ")
}

// call makes one call and says what came of it.
func call(ctx context.Context, client *http.Client, url string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url+"/v1/x?y=1", strings.NewReader("said"))
	if err != nil {
		return err.Error()
	}
	a, err := client.Do(r)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case err != nil:
		return "no answer"
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return fmt.Sprintf("%d %s and no more", a.StatusCode, body)
	}
	return fmt.Sprintf("%d %s", a.StatusCode, body)
}

// What a caller sees and what the API hears is the same over a network and
// without one.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault        Fault
		seen         string
		heard, later string // at the answer, and what comes a while after it
	}{
		{Pass, "200 said", "/v1/x?y=1 said", ""},
		{Cut, "no answer", "", ""},
		{Lost, "no answer", "/v1/x?y=1 said", ""},
		{Half, "200 sa and no more", "/v1/x?y=1 said", ""},
		{Hung, "no answer in time", "", ""},
		{Slow(time.Millisecond), "200 said", "/v1/x?y=1 said", ""},
		{Slow(time.Hour), "no answer in time", "", ""},
		{Answer(429), `429 {"message":"Too Many Requests"}`, "", ""},
		{Late(time.Second), "no answer", "", "/v1/x?y=1 said"},
		{Again(time.Second), "200 said", "/v1/x?y=1 said", "/v1/x?y=1 said, /v1/x?y=1 said"},
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &heard{}
				l := New(api)
				defer l.Close()
				l.Set(Always(c.fault))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if got := call(ctx, &http.Client{Transport: l}, "http://api"); got != c.seen {
					t.Errorf("without a network: %q, want %q", got, c.seen)
				}
				if got := api.String(); got != c.heard {
					t.Errorf("the API heard %q, want %q", got, c.heard)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if c.later == "" {
					c.later = c.heard
				}
				if got := api.String(); got != c.later {
					t.Errorf("in the end the API heard %q, want %q", got, c.later)
				}
			})
			api := &heard{}
			far := New(api)
			defer far.Close()
			to, err := To(far.Listen())
			if err != nil {
				t.Fatal(err)
			}
			l := New(to)
			defer l.Close()
			l.Set(Always(c.fault))
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			patience := time.Minute
			if c.seen == "no answer in time" {
				patience = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got := call(ctx, &http.Client{Transport: transport}, l.Listen()); got != c.seen {
				t.Errorf("over a network: %q, want %q", got, c.seen)
			}
			if got := api.String(); got != c.heard {
				t.Errorf("over a network the API heard %q, want %q", got, c.heard)
			}
		})
	}
}

func TestHungEndsWithTheFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(&heard{})
		defer l.Close()
		l.Set(Always(Hung))
		seen := make(chan string)
		go func() { seen <- call(t.Context(), &http.Client{Transport: l}, "http://api") }()
		synctest.Wait()
		l.Set(nil)
		if got := <-seen; got != "no answer" {
			t.Errorf("%q", got)
		}
		if got := call(t.Context(), &http.Client{Transport: l}, "http://api"); got != "200 said" {
			t.Errorf("afterwards %q", got)
		}
	})
}

func TestOnlyAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(&heard{})
		defer l.Close()
		client := &http.Client{Transport: l}
		l.Set(Only("PUT /v1/x", Cut))
		if got := call(t.Context(), client, "http://api"); got != "no answer" {
			t.Errorf("%q", got)
		}
		l.Set(Only("GET /v1/x", Cut))
		if got := call(t.Context(), client, "http://api"); got != "200 said" {
			t.Errorf("%q", got)
		}
		if l.Calls("PUT ") != 2 || l.Calls("PUT /v1/xy") != 0 || l.Calls("") != 2 {
			t.Errorf("%v", l.calls)
		}
	})
}
