package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"signpost/internal/httpapi"
)

// document is infra/openapi.yaml.
type document struct {
	*openapi3.T
	// lenient lets requests be taken that the document does not allow: in
	// the tables of a registration numbers may be strings, and so on.
	lenient bool
}

var loadOnce = sync.OnceValues(func() (*openapi3.T, error) {
	openapi3filter.RegisterBodyDecoder(gzipType, openapi3filter.FileBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromFile("../../infra/openapi.yaml")
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

func loadDocument(t testing.TB) *document {
	t.Helper()
	doc, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	return &document{T: doc}
}

// check holds an answer against the document, and a request too if it was
// taken.
func (d *document) check(t testing.TB, r *http.Request, sent []byte, res *response) {
	t.Helper()
	item := d.Paths.Value(r.URL.Path)
	var op *openapi3.Operation
	if item != nil {
		op = item.Operations()[r.Method]
	}
	if op == nil {
		d.checkUndocumented(t, item != nil, res)
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r.Clone(context.Background()), QueryParams: r.URL.Query(),
		Route:   &routers.Route{Spec: d.T, Path: r.URL.Path, PathItem: item, Method: r.Method, Operation: op},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true},
	}
	in.Request.Body = io.NopCloser(bytes.NewReader(sent))
	if res.status < 300 && !d.lenient {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			t.Fatalf("%s was taken with %d and is not documented: %v", res.call, res.status, err)
		}
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.status, Header: res.header, Body: io.NopCloser(bytes.NewReader(res.body)), Options: in.Options,
	})
	if err != nil {
		t.Fatalf("%s: answer %d is not documented: %v\n%s", res.call, res.status, err, res.body)
	}
	if documented := op.Responses.Status(res.status).Value; len(documented.Content) == 0 && len(res.body) > 0 {
		t.Fatalf("%s: answer %d has a body: %s", res.call, res.status, res.body)
	}
}

// checkUndocumented holds the answer to a call that does not exist against the
// responses for those.
func (d *document) checkUndocumented(t testing.TB, known bool, res *response) {
	t.Helper()
	name, status := "NoSuchCall", http.StatusNotFound
	if known {
		name, status = "MethodNotAllowed", http.StatusMethodNotAllowed
	}
	res.is(status)
	documented := d.Components.Responses[name].Value
	var body any
	res.into(&body)
	if err := documented.Content["application/problem+json"].Schema.Value.VisitJSON(body); err != nil {
		t.Fatalf("%s: %v in %s", res.call, err, res.body)
	}
	for h := range documented.Headers {
		if res.header.Get(h) == "" {
			t.Fatalf("%s: header %s is missing", res.call, h)
		}
	}
}

// documentedCalls lists "METHOD /path" of the document.
func (d *document) calls() []string {
	var calls []string
	for path, item := range d.Paths.Map() {
		for method := range item.Operations() {
			calls = append(calls, method+" "+path)
		}
	}
	slices.Sort(calls)
	return calls
}

func TestEveryCallIsDocumentedAndServed(t *testing.T) {
	a := newAPI(t)
	if got, want := httpapi.Routes(), a.doc.calls(); !slices.Equal(got, want) {
		t.Fatalf("served:\n%s\ndocumented:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, call := range a.doc.calls() {
		if r := a.do(call, nil); r.status == http.StatusNotFound && strings.Contains(string(r.body), "no-such-call") || r.status == http.StatusMethodNotAllowed {
			t.Errorf("%s is not served: %s", call, r.body)
		}
	}
}

func TestEveryParameterIsDocumentedAndTaken(t *testing.T) {
	a := newAPI(t)
	candidates := map[string]bool{"no-such": true}
	for _, p := range a.doc.Components.Parameters {
		candidates[p.Value.Name] = true
	}
	for _, call := range a.doc.calls() {
		method, path, _ := strings.Cut(call, " ")
		op := a.doc.Paths.Value(path).Operations()[method]
		for name := range candidates {
			r := a.do(call+"?"+name+"=1", nil)
			taken := !strings.Contains(string(r.body), "no parameter of this call")
			if documented := op.Parameters.GetByInAndName("query", name) != nil; taken != documented {
				t.Errorf("%s: parameter %s is documented: %t, is taken: %t", call, name, documented, taken)
			}
		}
	}
}

// Members are held against the document in both directions: each one that is
// documented is taken, and no other.
func TestEveryMemberIsDocumentedAndTaken(t *testing.T) {
	a := newAPI(t)
	for _, call := range a.doc.calls() {
		method, path, _ := strings.Cut(call, " ")
		op := a.doc.Paths.Value(path).Operations()[method]
		if op.RequestBody == nil {
			continue
		}
		schema := op.RequestBody.Value.Content["application/json"].Schema.Value
		for name := range schema.Properties {
			r := a.do(call+query(op), object{name: nil})
			if strings.Contains(string(r.body), "is no member") {
				t.Errorf("%s: %s is documented and not taken", call, name)
			}
		}
		a.do(call+query(op), object{"noSuch": 1}).problem(400, "invalid-field", "noSuch")
	}
}

// query makes a query of the examples of an operation's parameters.
func query(op *openapi3.Operation) string {
	values := url.Values{}
	for _, p := range op.Parameters {
		if p.Value.In == "query" && p.Value.Required {
			values.Set(p.Value.Name, p.Value.Example.(string))
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func TestEveryExampleIsTaken(t *testing.T) {
	a := newAPI(t)
	a.do("PUT /v1/register/session?id=s-1&open=true&gateway=gw-1", nil).is(200)
	taken := 0
	for _, call := range a.doc.calls() {
		method, path, _ := strings.Cut(call, " ")
		op := a.doc.Paths.Value(path).Operations()[method]
		if op.RequestBody == nil {
			continue
		}
		examples := op.RequestBody.Value.Content["application/json"].Examples
		for name, e := range examples {
			if r := a.do(call+query(op), e.Value.Value); r.status >= 300 {
				t.Errorf("%s: example %s is answered %d: %s", call, name, r.status, r.body)
			}
			taken++
		}
	}
	if taken < 8 {
		t.Errorf("only %d examples were found", taken)
	}
	for _, call := range a.doc.calls() {
		method, path, _ := strings.Cut(call, " ")
		if op := a.doc.Paths.Value(path).Operations()[method]; op.RequestBody == nil && op.OperationID != "deleteTopic" {
			if r := a.do(call+query(op), nil); r.status >= 400 && r.status != 404 {
				t.Errorf("%s: the examples of its parameters are answered %d: %s", call, r.status, r.body)
			}
		}
	}
}
