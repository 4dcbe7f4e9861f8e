package nameserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// request is one frame on its way through a handler.
type request struct {
	conn    *conn
	cmd     remoting.Command
	arrived time.Time

	registration core.Registration // what quick has read of code 103
	was          *conn             // the broker's connection before this one claimed it; nil: none
}

// field returns a parameter, "" if it is absent: a missing field is no error
// in this protocol (Java decodes each field in a try of its own).
func (r *request) field(name string) string {
	v, _ := r.cmd.ExtFields.Get(name)
	return v
}

// flag is true only for the word true, in any case.
func (r *request) flag(name string) bool { return strings.EqualFold(r.field(name), "true") }

// integer returns a numeric parameter; ok is false if it is absent or no number.
func (r *request) integer(name string) (n int64, ok bool) {
	n, err := strconv.ParseInt(r.field(name), 10, 64)
	return n, err == nil
}

// reply is the answer to one request.
type reply struct {
	code   remoting.Code
	remark string
	ext    remoting.Fields // nil unless the request's kind has a response header
	body   []byte
}

var done = reply{code: remoting.Success}

// withHeader is an empty response header, which JSON shows as {}.
var withHeader = remoting.Fields{}

// handler answers one request code.
type handler struct {
	serve func(context.Context, *request) (reply, error)
	// inline handlers never wait, and run in the connection's loop.
	inline bool
	// passing handlers keep no string of a request that is answered in the loop:
	// neither they nor what they call.
	passing bool
	// quick, if set, is tried in the loop first. It never waits; false says
	// that serve has to be called.
	quick func(*request) (reply, bool)
	// header says that the answers to this code carry a response header, those
	// of errors included that Java's handlers answer themselves.
	header bool
}

// handle runs a handler under its deadline and turns its error into an answer.
func (s *Server) handle(h *handler, req *request) (rep reply) {
	if s.draining.Load() && s.o.Switches().GoAway && req.cmd.Version > remoting.V5_3_1 {
		return reply{code: remoting.GoAway, remark: "please go away"}
	}
	var err error
	if h.inline {
		rep, err = s.call(s.base, h, req)
	} else {
		rep, err = s.callBeside(h, req)
	}
	if err != nil {
		rep = s.failure(req, err)
		if h.header && !thrown(err) {
			rep.ext = withHeader
		}
	}
	return rep
}

// callBeside calls a handler that may wait, under its deadline and, where calls
// cost this process and nobody else, in its turn.
func (s *Server) callBeside(h *handler, req *request) (reply, error) {
	ctx, cancel := context.WithTimeout(s.base, s.o.Limits.Handler)
	defer cancel()
	if s.gate != nil {
		turn := s.gate.turn(ctx)
		if !turn.held {
			s.o.Observer.Refused("busy")
			return reply{}, errBusy
		}
		defer turn.end()
		ctx = core.WithWaiting(ctx, turn.wait)
	}
	return s.call(ctx, h, req)
}

// thrown says that Java's handlers throw at this: an unreadable body or a field
// that is missing. What answers then has not heard of a response header.
func thrown(err error) bool {
	var field *core.FieldError
	return errors.As(err, &field) || errors.Is(err, wire.ErrDecode) || errors.Is(err, wire.ErrTooLarge)
}

// errBusy is worded as by Java, whose clients know it as flow control.
var errBusy = &codedError{code: remoting.SystemBusy, text: "[OVERLOAD]system busy, start flow control for a while"}

func (s *Server) call(ctx context.Context, h *handler, req *request) (rep reply, err error) {
	defer s.recovered(req.cmd.Code, &err)
	return h.serve(ctx, req)
}

// quickly tries the quick way. Who panics there has not answered.
func (s *Server) quickly(h *handler, req *request) (rep reply, ok bool) {
	var err error
	defer s.recovered(req.cmd.Code, &err)
	return h.quick(req)
}

// authorize asks Options.Authorize. Who panics has not allowed anything.
func (s *Server) authorize(req *request) (err error) {
	defer s.recovered(req.cmd.Code, &err)
	return s.o.Authorize(&req.cmd, req.conn.from)
}

// codedError is an error whose text and code are meant for the peer.
type codedError struct {
	code remoting.Code
	text string
}

func (e *codedError) Error() string       { return e.text }
func (e *codedError) Code() remoting.Code { return e.code }

func unsupported(code remoting.Code) reply {
	return reply{code: remoting.RequestCodeNotSupported, remark: fmt.Sprintf(" request type %d not supported", code)}
}

// failure is the one table from errors to answers. What is not in it is the
// server's own trouble: the peer learns that, the log learns what.
func (s *Server) failure(req *request, err error) reply {
	var coded interface{ Code() remoting.Code }
	var field *core.FieldError
	switch {
	case errors.As(err, &coded):
		return reply{code: coded.Code(), remark: err.Error()}
	case errors.As(err, &field), errors.Is(err, wire.ErrDecode), errors.Is(err, wire.ErrTooLarge):
		return reply{code: remoting.SystemError, remark: err.Error()}
	case errors.Is(err, core.ErrRefused):
		return reply{code: remoting.SystemError, remark: "register broker failed"}
	case errors.Is(err, core.ErrNameConflict), errors.Is(err, core.ErrStale), errors.Is(err, core.ErrSessionClosed):
		return reply{code: remoting.SystemError, remark: err.Error()}
	case errors.Is(err, core.ErrBusy), errors.Is(err, core.ErrConflict):
		return reply{code: remoting.SystemBusy, remark: "another change of the same broker is under way, try again"}
	case errors.Is(err, core.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		s.o.Log.Error("request not answered in time", "code", req.cmd.Code.String(), "peer", req.conn.peer, "error", err)
		return reply{code: remoting.SystemError, remark: "not answered in time, try again"}
	default:
		s.o.Log.Error("request failed", "code", req.cmd.Code.String(), "peer", req.conn.peer, "error", err)
		return reply{code: remoting.SystemError, remark: "internal error, see the NameServer's log"}
	}
}

// cloneOf frees a field from the memory of its header, for what is kept.
func cloneOf(s string) string { return strings.Clone(s) }
