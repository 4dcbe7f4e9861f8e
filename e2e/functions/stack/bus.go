package stack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Event is one entry that the bus took.
type Event struct {
	Source, DetailType, EventBusName, Detail string
}

// ID is the id in its detail.
func (e Event) ID() string {
	var d struct{ ID string }
	_ = json.Unmarshal([]byte(e.Detail), &d) // "" is what a test sees of bad JSON
	return d.ID
}

// Bus stands in for EventBridge's PutEvents.
type Bus struct {
	server *httptest.Server
	done   chan struct{}

	mu      sync.Mutex
	took    []Event
	refuse  func(Event) bool
	hang    chan struct{} // closed when it hangs no more
	waiting int
}

func newBus() *Bus {
	b := &Bus{done: make(chan struct{})}
	b.server = httptest.NewServer(b)
	return b
}

// URL is where it is.
func (b *Bus) URL() string { return b.server.URL }

func (b *Bus) close() {
	close(b.done)
	b.server.Close()
}

// Took are the entries taken so far, those that came twice too.
func (b *Bus) Took() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Event(nil), b.took...)
}

// Refuse makes the bus refuse single entries, within an answer of 200, as
// EventBridge does; nil is none.
func (b *Bus) Refuse(f func(Event) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = f
}

// Hang makes calls wait until resume is called; then they are dropped, not
// taken.
func (b *Bus) Hang() (resume func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := make(chan struct{})
	b.hang = c
	return sync.OnceFunc(func() {
		b.mu.Lock()
		b.hang = nil
		b.mu.Unlock()
		close(c)
	})
}

// Waiting is how many calls hang.
func (b *Bus) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// ServeHTTP answers PutEvents, in the AWS JSON 1.1 protocol.
func (b *Bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var in struct{ Entries []Event }
	if target := r.Header.Get("X-Amz-Target"); err != nil || target != "AWSEvents.PutEvents" || json.Unmarshal(body, &in) != nil ||
		len(in.Entries) == 0 || len(in.Entries) > 10 { // EventBridge takes 1 to 10
		fail(w, http.StatusBadRequest, "ValidationException", fmt.Sprintf("%s with %d entries", target, len(in.Entries)))
		return
	}
	if b.hung(r) {
		fail(w, http.StatusInternalServerError, "InternalException", "it hung")
		return
	}
	type entry struct {
		EventID      string `json:"EventId,omitempty"`
		ErrorCode    string `json:",omitempty"`
		ErrorMessage string `json:",omitempty"`
	}
	var out struct {
		FailedEntryCount int
		Entries          []entry
	}
	b.mu.Lock()
	for _, e := range in.Entries {
		if b.refuse != nil && b.refuse(e) {
			out.FailedEntryCount++
			out.Entries = append(out.Entries, entry{ErrorCode: "ThrottlingException", ErrorMessage: "refused"})
			continue
		}
		b.took = append(b.took, e)
		out.Entries = append(out.Entries, entry{EventID: fmt.Sprint(len(b.took))})
	}
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(out) // who has gone does not read it
}

// hung waits while the bus hangs, and says whether it did.
func (b *Bus) hung(r *http.Request) bool {
	b.mu.Lock()
	hang := b.hang
	if hang == nil {
		b.mu.Unlock()
		return false
	}
	b.waiting++
	b.mu.Unlock()
	select {
	case <-hang:
	case <-r.Context().Done():
	case <-b.done:
	}
	b.mu.Lock()
	b.waiting--
	b.mu.Unlock()
	return true
}

// fail answers as AWS's JSON services do.
func fail(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
}
