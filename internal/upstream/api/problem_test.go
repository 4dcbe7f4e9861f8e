package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/upstream/api"
	"signpost/internal/wire"
)

// failing fails registrations with one error.
type failing struct {
	*core.Registry
	err error
}

func (f *failing) Register(context.Context, time.Time, core.Registration) (core.Registered, error) {
	return core.Registered{}, f.err
}

func TestProblemsAreCoresErrors(t *testing.T) {
	for _, c := range []struct {
		err  error // of the registry behind the API
		want error
	}{
		{core.ErrNotFound, core.ErrNotFound},
		{core.ErrRefused, core.ErrRefused},
		{core.ErrNameConflict, core.ErrNameConflict},
		{core.ErrStale, core.ErrStale},
		{core.ErrBusy, core.ErrBusy},
		{core.ErrConflict, core.ErrBusy},
		{core.ErrSessionClosed, core.ErrSessionClosed},
		{core.ErrForbidden, core.ErrForbidden},
		{&core.ClusterError{Cluster: "c1"}, core.ErrForbidden},
		{&wire.LimitError{What: "topics", Max: 3}, wire.ErrTooLarge},
		{core.ErrUnavailable, core.ErrUnavailable},
		{context.DeadlineExceeded, core.ErrUnavailable},
		{errors.New("a secret"), core.ErrUnavailable},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			stub := &failing{err: fmt.Errorf("register b1: %w", c.err)}
			w := newWorld(t, func(o *httpapi.Options) {
				stub.Registry = o.Write.(*core.Registry)
				o.Write = stub
			})
			ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond) // shorter than any Retry-After
			defer cancel()
			_, err := w.Register(ctx, "s-1", w.broker("b1", 0, "t1"))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			var no *api.UnreachableError
			switch unreachable := errors.As(err, &no); {
			case unreachable != (c.want == core.ErrUnavailable):
				t.Errorf("%v is unreachable: %v", err, unreachable)
			case !unreachable && !strings.Contains(err.Error(), c.err.Error()):
				t.Errorf("%q does not say %q", err, c.err)
			case strings.Contains(err.Error(), "secret"):
				t.Errorf("%q is told", err)
			}
		})
	}
}

func TestBadInputNamesItsField(t *testing.T) {
	w := newWorld(t)
	r := w.broker("b1", 0, "t1", "t2")
	r.Addr = ""
	_, err := w.Register(t.Context(), "s-1", r)
	var field *core.FieldError
	if !errors.As(err, &field) || *field != (core.FieldError{Field: "brokerAddr", Reason: "is missing"}) {
		t.Errorf("got %v", err)
	}
	for name, spoil := range map[string]func(*api.Registration){
		"brokerName": func(r *api.Registration) { r.Broker = "b\xff" },
		"zoneName":   func(r *api.Registration) { r.Zone = "z\n" },
	} {
		r := w.broker("b1", 0, "t1", "t2")
		spoil(&r)
		if _, err := w.Register(t.Context(), "s-1", r); !errors.As(err, &field) || field.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhoMayNot(t *testing.T) {
	w := newWorld(t)
	r := w.broker("b1", 0, "t1", "t2")
	w.session("s-1")
	if _, err := w.as("somebody c2").Register(t.Context(), "s-1", r); !errors.Is(err, core.ErrForbidden) || errors.Is(err, core.ErrSessionClosed) {
		t.Errorf("another cluster: %v", err)
	}
	// Another session may be opened, and speak for the broker.
	if _, err := w.as("another").Register(t.Context(), "s-1", r); !errors.Is(err, core.ErrForbidden) || !errors.Is(err, core.ErrSessionClosed) {
		t.Errorf("another's session: %v", err)
	}
	_, err := w.as("stranger").Register(t.Context(), "s-1", r)
	if no := unreachable(t, err); no.Status != http.StatusForbidden { // the gateway's trouble, and not the broker's
		t.Errorf("a stranger: %+v", no)
	}
}

func TestUnknownTopicMayBeKept(t *testing.T) {
	// No method asks so, but a problem says it.
	client, _ := scripted(t, api.Options{Now: func() time.Time { return epoch }},
		says(404, typeProblem, problem("topic-not-found"), "Signpost-Revision", "7", "Signpost-Valid-For", "2000"))
	_, _, err := client.Group(t.Context(), "b1")
	var none *core.NoTopicError
	if !errors.As(err, &none) || !none.ValidUntil.Equal(epoch.Add(2*time.Second)) {
		t.Errorf("got %v, until %v", err, none)
	}
}

func TestTooLargeForTheGateway(t *testing.T) {
	client, seen := scripted(t, api.Options{}, says(413, typeJSON, `{"message":"Request Entity Too Large"}`))
	if _, err := client.Register(t.Context(), "s-1", api.Registration{Body: bodyOf(t, content("t1"))}); !errors.Is(err, wire.ErrTooLarge) || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if len(seen.results) != 1 {
		t.Errorf("%d attempts", len(seen.results))
	}
}

func TestWordsAreCleanedBeforeTheyArePassedOn(t *testing.T) {
	long := strings.Repeat("x", 5000)
	client, _ := scripted(t, api.Options{}, says(409, typeProblem, `{"type":"urn:signpost:problem:stale","detail":"a\nb\u001b[31m`+long+`"}`))
	_, err := client.Register(t.Context(), "s-1", api.Registration{Body: bodyOf(t, content("t1"))})
	if text := err.Error(); !strings.HasPrefix(text, "a b [31mxxx") || len(text) > 600 {
		t.Errorf("got %q", text)
	}
	client, _ = scripted(t, api.Options{}, says(409, typeProblem, `{"type":"urn:signpost:problem:stale"}`))
	if _, err := client.Register(t.Context(), "s-1", api.Registration{Body: bodyOf(t, content("t1"))}); err == nil || err.Error() != core.ErrStale.Error() {
		t.Errorf("without a detail: %v", err)
	}
}

func TestBusyIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, seen := scripted(t, api.Options{}, says(409, typeProblem, problem("busy"), "Retry-After", "1"))
		began := time.Now()
		_, err := client.DeleteTopic(t.Context(), "t1", "")
		if !errors.Is(err, core.ErrBusy) || len(seen.results) != 3 || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v: %v", err, time.Since(began), seen.results)
		}
	})
}
