package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"signpost/core"
)

const (
	// validAtMost bounds how long any answer may be kept (rule 6).
	validAtMost = 30 * time.Second
	// followedAtMost bounds it for who hears of the sessions by beats of his own:
	// what he keeps is asked for again at least that often.
	followedAtMost = time.Hour
	// maxAge bounds how long HTTP caches, which know no revision, keep a route.
	maxAge = 2 * time.Second

	headerRevision = "Signpost-Revision"
	headerValidFor = "Signpost-Valid-For" // milliseconds
	headerGuarded  = "Signpost-Guarded"   // whether brokers may be there by the mass-expiry guard alone

	typeJSON    = "application/json"
	typeGzip    = "application/vnd.signpost.v1+gzip" // of requests only
	typeProblem = "application/problem+json"
)

// answer is what a handler has to say. With an error only its revision and
// validFor count.
type answer struct {
	body     []byte // JSON; nil is 204
	etag     string // hex, of body
	matched  bool   // the caller has that body: 304
	revision core.Revision
	validFor time.Duration
}

// jsonAnswer encodes v.
func jsonAnswer(v any) (answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, fmt.Errorf("encode the answer: %w", err)
	}
	return answer{body: body}, nil
}

// at adds which revision a reading answer was made at, and how long it holds.
func (a answer) at(revision core.Revision, validFor time.Duration) answer {
	a.revision, a.validFor = revision, validFor
	return a
}

// validFor is how long what rests on leases until that moment may be kept.
func validFor(now, until time.Time) time.Duration {
	return max(0, min(validAtMost, until.Sub(now)))
}

// followedFor is the same for who hears of the sessions; the zero time is that
// nothing else is behind it.
func followedFor(now, until time.Time) time.Duration {
	if until.IsZero() {
		return followedAtMost
	}
	return max(0, min(followedAtMost, until.Sub(now)))
}

// write sends an answer or, if there is one, the error.
func (s *Server) write(w http.ResponseWriter, r *http.Request, a answer, err error) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	known := s.learn(a.revision)
	if a.revision == 0 {
		a.revision = known
	}
	h.Set(headerRevision, strconv.FormatUint(uint64(a.revision), 10))
	h.Set(headerValidFor, strconv.FormatInt(a.validFor.Milliseconds(), 10))
	h.Set(headerGuarded, strconv.FormatBool(s.guarded.Load()))
	status := http.StatusOK
	switch {
	case err != nil:
		k, p := problemOf(err)
		status = k.status
		h.Set("Content-Type", typeProblem)
		if k.retry {
			h.Set("Retry-After", retryAfter)
		}
		body, _ := json.Marshal(p) // strings and numbers cannot fail
		a = answer{body: body}
	case a.etag != "":
		age := min(maxAge, a.validFor)
		h.Set("Cache-Control", fmt.Sprintf("private, max-age=%d", age/time.Second))
		h.Set("ETag", `"`+a.etag+`"`)
		h.Set("Vary", "Accept-Encoding")
		if a.matched {
			status, a.body = http.StatusNotModified, nil
		} else {
			h.Set("Content-Type", typeJSON)
		}
	case a.body == nil:
		status = http.StatusNoContent
	default:
		h.Set("Content-Type", typeJSON)
	}
	if s.o.CompressFrom > 0 && len(a.body) >= s.o.CompressFrom && acceptsGzip(r.Header) {
		a.body = compress(a.body)
		h.Set("Content-Encoding", "gzip")
		if a.etag != "" { // these are other bytes than those that the tag is of
			h.Set("ETag", `W/"`+a.etag+`"`)
		}
	}
	if a.body == nil {
		w.WriteHeader(status)
		return // an adapter may take an empty write for a body, and name its type
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(status)
	w.Write(a.body) // who has gone does not read it
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compress(body []byte) []byte {
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	z.Write(body) // into memory, which does not fail
	z.Close()
	return out.Bytes()
}

// acceptable refuses callers that want no JSON. No Accept accepts everything.
func acceptable(h http.Header) error {
	accept := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || zeroQuality(params["q"]) {
			continue
		}
		switch name {
		case typeJSON, "application/*", "*/*":
			return nil
		}
	}
	return &problemError{kind: notAcceptable, detail: "Accept has to allow " + typeJSON}
}

func acceptsGzip(h http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, q, _ := strings.Cut(params, "=")
		return !zeroQuality(strings.TrimSpace(q))
	}
	return false
}

// zeroQuality says whether a q parameter refuses what it stands with.
func zeroQuality(q string) bool {
	f, err := strconv.ParseFloat(q, 64)
	return err == nil && f <= 0
}

// matches says whether If-None-Match names the tag. Tags are compared weakly
// (RFC 9110, 13.1.2); none of ours has a comma in it.
func matches(h http.Header, etag string) bool {
	for part := range strings.SplitSeq(strings.Join(h.Values("If-None-Match"), ","), ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == `"`+etag+`"` {
			return true
		}
	}
	return false
}
