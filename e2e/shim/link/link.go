// Package link is the way from a shim to API v1, and everything that can go
// wrong on it: it breaks, hangs, is slow, answers for the API, loses answers
// or their ends, and delivers late or twice.
//
// A Link leads to an http.Handler: the API itself in the same process, or one
// elsewhere by way of To. It is called over TCP at the URL that Listen gives,
// or as an http.RoundTripper without any network, which tests with a made-up
// clock need.
package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Link is one way to the API. It is safe for concurrent use.
type Link struct {
	api    http.Handler
	server *httptest.Server
	done   chan struct{}  // closed by Close
	later  sync.WaitGroup // calls that nobody waits for

	mu     sync.Mutex
	closed bool
	fault  func(*http.Request) Fault
	over   chan struct{} // closed when the fault is another one
	calls  map[string]int
}

// New returns a link to the API on which nothing goes wrong yet.
func New(api http.Handler) *Link {
	return &Link{api: api, done: make(chan struct{}), over: make(chan struct{}), calls: map[string]int{}}
}

// To passes calls on to the API at that endpoint, as they came: who signed a
// call signed it for the host of the link.
func To(endpoint string) (http.Handler, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", endpoint, err)
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
		},
		Transport:    &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Second},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}, nil
}

// Listen has the link called over TCP, and returns the URL.
func (l *Link) Listen() string {
	l.server = httptest.NewServer(l)
	return l.server.URL
}

// Close ends all calls, those that would come late too.
func (l *Link) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	l.mu.Unlock()
	if l.server != nil {
		l.server.CloseClientConnections()
		l.server.Close()
	}
	l.later.Wait()
}

// Set sets the fault of each call; nil is none. Calls that hang end.
func (l *Link) Set(fault func(*http.Request) Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
	close(l.over)
	l.over = make(chan struct{})
}

// Always is the same fault for all calls.
func Always(f Fault) func(*http.Request) Fault { return func(*http.Request) Fault { return f } }

// Only is a fault of the calls whose method and path begin so, such as
// "PUT /v1/register/session", and none of the others.
func Only(prefix string, f Fault) func(*http.Request) Fault {
	return func(r *http.Request) Fault {
		if strings.HasPrefix(name(r), prefix) {
			return f
		}
		return Pass
	}
}

// Calls is how many calls there were whose method and path begin so, whatever
// became of them.
func (l *Link) Calls(prefix string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for call, count := range l.calls {
		if strings.HasPrefix(call, prefix) {
			n += count
		}
	}
	return n
}

// name is a call's method and path.
func name(r *http.Request) string { return r.Method + " " + r.URL.Path }

// ServeHTTP passes a call on, or does not.
func (l *Link) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, over := l.enter(r)
	l.apply(f, over, w, r)
}

// enter counts a call and tells its fault.
func (l *Link) enter(r *http.Request) (Fault, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[name(r)]++
	if l.closed {
		return Cut, l.over
	}
	if l.fault == nil {
		return Pass, l.over
	}
	return l.fault(r), l.over
}

// deliver hands a call to the API after that time, for nobody.
func (l *Link) deliver(after time.Duration, r *http.Request, body []byte) {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	l.background(func() {
		if l.sleep(r, nil, max(after, 1)) {
			defer func() { _ = recover() }() // there is no connection to end
			l.api.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}

// background runs what Close waits for, unless it is closed.
func (l *Link) background(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.later.Go(do)
	}
}

// errEnded is what a caller without a network sees of a connection that ends.
var errEnded = errors.New("the connection ended")

// RoundTrip makes a call without a network. As with Lambda, the API works on
// when the caller has gone.
func (l *Link) RoundTrip(r *http.Request) (*http.Response, error) {
	f, over := l.enter(r)
	body := io.ReadCloser(http.NoBody)
	if r.Body != nil {
		body = r.Body
	}
	said, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("read the call: %w", err)
	}
	in := r.Clone(r.Context())
	if f.kind != slow && f.kind != hung { // those wait for the caller to go
		in = r.Clone(context.WithoutCancel(r.Context()))
	}
	in.Body, in.RequestURI, in.RemoteAddr = io.NopCloser(bytes.NewReader(said)), r.URL.RequestURI(), "127.0.0.1:1"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	answer := make(chan *http.Response, 1)
	l.background(func() {
		rec := httptest.NewRecorder()
		ended := false
		func() {
			defer func() { ended = recover() != nil }()
			l.apply(f, over, rec, in)
		}()
		answer <- response(rec, r, ended)
	})
	select {
	case a := <-answer:
		if a == nil {
			return nil, errEnded
		}
		return a, nil
	case <-l.done:
		return nil, errEnded
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// response is what was recorded, nil if there is nothing of it. Where the
// connection ended, reading it to the end fails.
func response(rec *httptest.ResponseRecorder, r *http.Request, ended bool) *http.Response {
	if ended && !rec.Flushed {
		return nil
	}
	a := rec.Result()
	a.Request = r
	if ended {
		a.Body = io.NopCloser(io.MultiReader(a.Body, broken{}))
	}
	return a
}

// broken is the end of a body whose connection ended.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
