package link

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

// Fault is what becomes of a call. The zero Fault is none: the call passes.
type Fault struct {
	kind   kind
	wait   time.Duration
	status int
}

type kind int

const (
	pass kind = iota
	cut
	lost
	half
	hung
	slow
	answered
	late
	again
)

// The faults that need no number.
var (
	// Pass is no fault.
	Pass = Fault{}
	// Cut ends the connection; the API does not hear of the call.
	Cut = Fault{kind: cut}
	// Lost has the API do what it was called for, and ends the connection
	// instead of an answer.
	Lost = Fault{kind: lost}
	// Half has the API do what it was called for; the connection ends in the
	// middle of its answer.
	Half = Fault{kind: half}
	// Hung answers nothing until the fault is another one; then the connection
	// ends. The API does not hear of the call.
	Hung = Fault{kind: hung}
)

// Slow passes a call on after that time, if the caller still waits then.
func Slow(d time.Duration) Fault { return Fault{kind: slow, wait: d} }

// Answer answers with that status, as API Gateway itself does, and nobody
// else hears of the call.
func Answer(status int) Fault { return Fault{kind: answered, status: status} }

// Late ends the connection; the API gets the call after that time all the
// same.
func Late(d time.Duration) Fault { return Fault{kind: late, wait: d} }

// Again passes a call on; the API gets it once more after that time.
func Again(d time.Duration) Fault { return Fault{kind: again, wait: d} }

// String names the fault.
func (f Fault) String() string {
	switch f.kind {
	case slow, late, again:
		return fmt.Sprintf("%s by %v", f.kind, f.wait)
	case answered:
		return fmt.Sprint("answers ", f.status)
	}
	return f.kind.String()
}

func (k kind) String() string {
	return [...]string{"pass", "cut", "lost", "half", "hung", "slow", "answer", "late", "again"}[k]
}

// maxBody bounds what is read of a call, in bytes: more than the API takes.
const maxBody = 16 << 20

// apply does to a call what the fault says. over is closed when the fault is
// another one.
func (l *Link) apply(f Fault, over <-chan struct{}, w http.ResponseWriter, r *http.Request) {
	// What is read to its end tells when the caller goes, and can be sent twice.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler) // the caller went in the middle of it
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch f.kind {
	case cut:
		panic(http.ErrAbortHandler)
	case lost:
		l.api.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case half:
		l.half(w, r)
	case hung:
		l.sleep(r, over, 0)
		panic(http.ErrAbortHandler)
	case slow:
		if !l.sleep(r, over, f.wait) {
			panic(http.ErrAbortHandler)
		}
		l.api.ServeHTTP(w, r)
	case answered:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.status)
		fmt.Fprintf(w, `{"message":%q}`, http.StatusText(f.status)) // who has gone does not read it
	case late:
		l.deliver(f.wait, r, body)
		panic(http.ErrAbortHandler)
	case again:
		l.deliver(f.wait, r, body)
		l.api.ServeHTTP(w, r)
	default:
		l.api.ServeHTTP(w, r)
	}
}

// half answers with the headers and the first half of the body.
func (l *Link) half(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	l.api.ServeHTTP(rec, r)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2]) // it ends here anyway
	_ = http.NewResponseController(w).Flush()           // else nothing goes out at all
	panic(http.ErrAbortHandler)
}

// sleep waits for that time, 0 for ever, or until the caller goes, the link
// closes or, for ever only, the fault is over. It says whether the time passed.
func (l *Link) sleep(r *http.Request, over <-chan struct{}, d time.Duration) bool {
	var passed <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		passed, over = t.C, nil
	}
	select {
	case <-passed:
		return true
	case <-over:
	case <-r.Context().Done():
	case <-l.done:
	}
	return false
}
