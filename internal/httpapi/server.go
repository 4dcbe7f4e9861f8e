package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"signpost/core"
)

// Limits bound what callers can make the server hold or wait for. 0 is the
// default.
type Limits struct {
	Body     int // bytes of a registration as sent (16 MiB)
	Inflated int // bytes of a registration, inflated (64 MiB)
	Small    int // bytes of any other body, as sent and inflated (1 MiB)
	Topics   int // topics in one registration (200,000)
	Batch    int // beats or topics in one batch call (1,000)
	// Answer is how many bytes of routes one batch answers (4 MiB, so that it
	// fits a function's 6 MB, and fits them as base64 too). The rest is left
	// for a later call.
	Answer        int
	Registrations int           // registrations inflated and decoded at a time (16)
	Wait          time.Duration // for the turn to be one of them (2 s)
	// Handler is how long one call may take (25 s). It must stay below the 30 s
	// for which a writer's token stands and after which API Gateway gives up.
	Handler time.Duration
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Body, 16 << 20}, {&l.Inflated, 64 << 20}, {&l.Small, 1 << 20}, {&l.Topics, 200_000},
		{&l.Batch, 1000}, {&l.Answer, 4 << 20}, {&l.Registrations, 16},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if l.Wait == 0 {
		l.Wait = 2 * time.Second
	}
	if l.Handler == 0 {
		l.Handler = 25 * time.Second
	}
	return l
}

// Options are what a Server works with.
type Options struct {
	Read  Reader // nil: there is no /v1/read
	Write Writer // nil: there is no /v1/register and no /v1/admin

	// Identity says who calls; required. An error refuses the call with 403;
	// its text is logged and not told.
	Identity func(*http.Request) (Caller, error)
	Now      func() time.Time
	Log      *slog.Logger
	Limits   Limits

	// BasePath, such as /prod, is taken off paths that begin with it: API
	// Gateway shows functions the name of a named stage.
	BasePath string
	// CompressFrom is the size in bytes from which answers are gzipped for
	// callers that accept it, with a Content-Encoding; 0 is never. Behind API
	// Gateway's HTTP API the adapter has to hand such an answer over as base64.
	CompressFrom int
	// BrokerTimeout is a broker's lease unless it names its own timeout; 0 is
	// core.DefaultTimeout.
	BrokerTimeout time.Duration
}

// front names the direct leases of brokers that heartbeat here, whichever
// process hears them.
const front = "https"

// Server is the HTTP front. It is an http.Handler.
type Server struct {
	o     Options
	mux   *http.ServeMux
	allow map[string]string // path -> the methods of its calls
	turns chan struct{}     // one for each registration being worked on

	known   atomic.Uint64 // the newest revision seen
	guarded atomic.Bool   // what the newest sessions seen say of the mass-expiry guard
}

// New returns a Server; it does no I/O.
func New(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	o.BasePath = strings.TrimRight(o.BasePath, "/")
	s := &Server{
		o: o, mux: http.NewServeMux(), allow: map[string]string{},
		turns: make(chan struct{}, o.Limits.Registrations),
	}
	methods := map[string][]string{}
	for _, c := range calls() {
		if c.class() == "read" && o.Read == nil || c.class() != "read" && o.Write == nil {
			continue
		}
		s.mux.HandleFunc(c.method+" "+c.path, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, c) })
		methods[c.path] = append(methods[c.path], c.method)
	}
	for path, of := range methods {
		slices.Sort(of)
		s.allow[path] = strings.Join(of, ", ")
		s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.refuseMethod(w, r) })
	}
	return s
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, s.o.BasePath); ok && strings.HasPrefix(rest, "/") {
		path = rest
	}
	if s.allow[path] == "" { // asked before the mux, which would redirect what it finds unclean
		s.write(w, r, answer{}, &problemError{kind: noSuchCall, detail: "there is no such path"})
		return
	}
	inner := r.WithContext(r.Context())
	inner.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	s.mux.ServeHTTP(w, inner)
}

func (s *Server) refuseMethod(w http.ResponseWriter, r *http.Request) {
	allow := s.allow[r.URL.Path]
	w.Header().Set("Allow", allow)
	s.write(w, r, answer{}, &problemError{kind: methodNotAllowed, detail: "this path has " + allow})
}

// request is one call on its way through a handler.
type request struct {
	*http.Request
	writer  http.ResponseWriter
	caller  Caller
	arrived time.Time
	params  params
}

// answer serves one call: who, what, and under which deadline.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, c call) {
	if r.Method == http.MethodHead { // the mux counts it as GET
		s.refuseMethod(w, r)
		return
	}
	req := &request{Request: r, writer: w, arrived: s.o.Now()}
	ctx, cancel := context.WithTimeout(r.Context(), s.o.Limits.Handler)
	defer cancel()
	a, err := s.call(ctx, req, c)
	s.note(req, c, a, err)
	s.write(w, r, a, err)
}

func (s *Server) call(ctx context.Context, req *request, c call) (a answer, err error) {
	defer recovered(&err)
	if err = acceptable(req.Header); err != nil {
		return a, err
	}
	if req.caller, err = s.o.Identity(req.Request); err != nil {
		return a, &problemError{kind: forbidden, detail: "the caller is not known", cause: err}
	}
	if req.params, err = parseParams(req.URL.RawQuery, c.params); err != nil {
		return a, err
	}
	return c.serve(s, ctx, req)
}

// recovered turns a panic into an error, which is a fault of the server.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// note logs what operators want to know: what they did themselves, who was
// refused, and the server's own faults. A heartbeat leaves no line.
func (s *Server) note(req *request, c call, a answer, err error) {
	ctx := req.Context()
	if err == nil {
		if c.class() == "admin" {
			s.o.Log.InfoContext(ctx, "administration", "call", c.String(), "query", req.params.String(), "caller", req.caller.ID)
		}
		return
	}
	switch k, _ := kindOf(err); {
	case k.status >= 500 && ctx.Err() == nil:
		s.o.Log.ErrorContext(ctx, "call failed", "call", c.String(), "caller", req.caller.ID, "error", err)
	case k.status == http.StatusForbidden:
		s.o.Log.WarnContext(ctx, "call refused", "call", c.String(), "caller", req.caller.ID, "error", err)
	case c.path == pathBroker && k.status != http.StatusServiceUnavailable:
		s.o.Log.WarnContext(ctx, "registration refused", "caller", req.caller.ID, "error", err)
	}
}

// saw remembers what a head tells about all answers.
func (s *Server) saw(head core.Head) {
	s.learn(head.Revision)
	s.guarded.Store(head.Sessions.Guarded(s.o.Now()))
}

// learn remembers the newest revision seen and returns it.
func (s *Server) learn(r core.Revision) core.Revision {
	for {
		known := s.known.Load()
		if uint64(r) <= known {
			return core.Revision(known)
		}
		if s.known.CompareAndSwap(known, uint64(r)) {
			return r
		}
	}
}

// said returns the time now, and how old by then is what was age old when the
// call arrived (rule 2: every statement carries its age).
func (s *Server) said(req *request, age time.Duration) (now time.Time, old time.Duration) {
	now = s.o.Now()
	return now, age + max(0, now.Sub(req.arrived))
}
