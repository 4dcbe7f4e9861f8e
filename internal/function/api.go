package function

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"signpost/core"
	"signpost/internal/httpapi"
)

const (
	// margin is what is left of an invocation's time when its handler's is over,
	// for the answer to get out.
	margin = time.Second
	// compressFrom is the size from which answers are gzipped.
	compressFrom = 16 << 10
	// maxAnswer is what a function can hand over (AWS Lambda: 6 MB of payload),
	// less what stands around the body.
	maxAnswer = 6<<20 - 16<<10
)

// API answers the events of API Gateway's HTTP APIs (payload format 2.0).
type API struct {
	f       *Function
	adapter *httpadapter.HandlerAdapterV2
}

// Register is the API's classes register and admin.
func (f *Function) Register() *API {
	return f.api(httpapi.Options{Write: counted{f.model(), f.Metrics}})
}

// Route is the API's class read. What it works with cannot write.
func (f *Function) Route() *API { return f.api(httpapi.Options{Read: f.model()}) }

func (f *Function) api(o httpapi.Options) *API {
	o.Identity, o.Now, o.Log = f.Settings.caller, f.Store.Now, f.Log
	o.BasePath, o.CompressFrom = f.Settings.BasePath, compressFrom
	return &API{f: f, adapter: httpadapter.NewV2(httpapi.New(o))}
}

// counted counts the registrations that changed something.
type counted struct {
	*core.Registry
	metrics *Metrics
}

func (c counted) Register(ctx context.Context, now time.Time, r core.Registration) (core.Registered, error) {
	answer, err := c.Registry.Register(ctx, now, r)
	if answer.Revision != 0 {
		c.metrics.add(registrationsChanged, 1)
	}
	return answer, err
}

// Handle answers one event. Whatever is in it, the answer is one of the API's.
func (a *API) Handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	defer a.f.flush()
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-margin))
		defer cancel()
	}
	if e.IsBase64Encoded {
		if _, err := base64.StdEncoding.DecodeString(e.Body); err != nil {
			return problem(http.StatusBadRequest, "invalid-field", "A parameter or a member is not what it should be", "body: is not base64"), nil
		}
	}
	out, err := a.adapter.ProxyWithContext(ctx, tidied(e))
	if err != nil {
		a.f.Log.ErrorContext(ctx, "event not understood", "error", err)
		return problem(http.StatusInternalServerError, "internal", "The server failed", ""), nil
	}
	if quoted(out.Body) > maxAnswer {
		return problem(http.StatusNotAcceptable, "not-acceptable", "The answer is larger than a function can hand over",
			"ask with Accept-Encoding: gzip, or for less"), nil
	}
	return out, nil
}

// quoted is how long a body is within the JSON of an answer. Those of httpapi
// have no control characters, which would be longer still.
func quoted(body string) int {
	return len(body) + strings.Count(body, `"`) + strings.Count(body, `\`)
}

// problem is an answer that is not httpapi's own, in its form. It speaks for no
// revision.
func problem(status int, kind, title, detail string) events.APIGatewayV2HTTPResponse {
	body, _ := json.Marshal(struct { // strings and numbers cannot fail
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{"urn:signpost:problem:" + kind, title, status, detail})
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status, Body: string(body),
		Headers: map[string]string{
			"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Signpost-Revision": "0", "Signpost-Valid-For": "0", "Signpost-Guarded": "false",
		},
	}
}

// tidied returns the event as one that the adapter can make a URL of. It glues
// path and query to one, and HTTP APIs hand over a path that is decoded.
func tidied(e events.APIGatewayV2HTTPRequest) events.APIGatewayV2HTTPRequest {
	path := e.RawPath
	if path == "" {
		path = e.RequestContext.HTTP.Path
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(path, "/"+stage); ok && strings.HasPrefix(rest, "/") {
			path = rest // only the default stage has no name in the path
		}
	}
	e.RawPath = (&url.URL{Path: path}).EscapedPath()
	e.RawQueryString = escaped(e.RawQueryString)
	e.QueryStringParameters = nil                // the same again, decoded and joined
	e.RequestContext.DomainName = "api.internal" // nobody asks for it, and the caller may choose it
	if !token(e.RequestContext.HTTP.Method) {
		e.RequestContext.HTTP.Method = "UNKNOWN"
	}
	return e
}

// escaped escapes what no URL may have in it raw.
func escaped(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == '#' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// token says whether a method is one that HTTP allows (RFC 9110, 5.6.2), by its letters.
func token(method string) bool {
	if method == "" {
		return false
	}
	for _, c := range []byte(method) {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
