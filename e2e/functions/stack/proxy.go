package stack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Fault is what happens to a call of DynamoDB.
type Fault int

// The faults. DynamoDB Local shows none of them by itself.
const (
	Pass      Fault = iota
	Throttled       // ProvisionedThroughputExceededException
	Refused         // the connection ends without an answer
	Hung            // there is no answer, until the fault is over
)

// Proxy stands between the functions and DynamoDB Local.
type Proxy struct {
	server  *httptest.Server
	pass    http.Handler
	done    chan struct{}
	metered bool

	mu    sync.Mutex
	fault func(operation string) Fault
	over  chan struct{} // closed when the fault is another one
	calls map[string]int
	clock func() time.Time
	units Units
}

func newProxy(addr string, metered bool) *Proxy {
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	p := &Proxy{pass: pass, metered: metered, done: make(chan struct{}), over: make(chan struct{}), calls: map[string]int{}, clock: time.Now}
	pass.ModifyResponse = func(r *http.Response) error {
		if metered {
			if err := p.meter(operationOf(r.Request), r); err != nil {
				return err
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		r.Header.Set("Date", p.clock().UTC().Format(http.TimeFormat))
		return nil
	}
	p.server = httptest.NewServer(p)
	return p
}

// URL is where it is.
func (p *Proxy) URL() string { return p.server.URL }

func (p *Proxy) close() {
	close(p.done)
	p.server.Close()
}

// Set sets the fault of each operation, such as "UpdateItem"; nil is none.
func (p *Proxy) Set(fault func(operation string) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
	close(p.over)
	p.over = make(chan struct{})
}

// Always is the same fault for all operations.
func Always(f Fault) func(string) Fault { return func(string) Fault { return f } }

// SetClock sets what DynamoDB says that the time is: the functions correct their
// clocks by it, to the second.
func (p *Proxy) SetClock(now func() time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock = now
}

// Calls is how often that operation was called.
func (p *Proxy) Calls(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[operation]
}

// ServeHTTP passes a call on, or does not.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := operationOf(r)
	p.mu.Lock()
	p.calls[operation]++
	fault, over := Pass, p.over
	if p.fault != nil {
		fault = p.fault(operation)
	}
	p.mu.Unlock()
	switch fault {
	case Throttled:
		fail(w, http.StatusBadRequest, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "throttled")
	case Refused:
		panic(http.ErrAbortHandler)
	case Hung:
		io.Copy(io.Discard, r.Body) // else nobody notices that the caller has gone
		select {
		case <-over:
		case <-r.Context().Done():
		case <-p.done:
		}
		panic(http.ErrAbortHandler)
	default:
		if p.metered {
			if err := askCapacity(r); err != nil {
				panic(http.ErrAbortHandler) // the caller went in the middle of it
			}
		}
		p.pass.ServeHTTP(w, r)
	}
}

// operationOf is what a call of DynamoDB does, such as "UpdateItem".
func operationOf(r *http.Request) string {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return operation
}
