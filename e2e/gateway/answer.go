package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// answer is what is said to the caller.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// said is a function's answer of payload format 2.0.
type said struct {
	Status  *int                       `json:"statusCode"`
	Headers map[string]json.RawMessage `json:"headers"`
	Cookies []string                   `json:"cookies"`
	Body    string                     `json:"body"`
	Base64  bool                       `json:"isBase64Encoded"`
}

// readAnswer reads what a function returned. JSON without a statusCode is a
// body by itself. Whatever cannot be an answer is an error, which the caller
// sees as 500.
func readAnswer(payload []byte) (*answer, error) {
	if len(payload) > maxEvent {
		return nil, fmt.Errorf("the function's answer has %d bytes", len(payload))
	}
	if !json.Valid(payload) {
		return nil, errors.New("the function's answer is not JSON")
	}
	var s said
	a := &answer{status: http.StatusOK, header: http.Header{}}
	if err := json.Unmarshal(payload, &s); err != nil || s.Status == nil {
		var fields map[string]json.RawMessage
		if json.Unmarshal(payload, &fields) == nil && fields["statusCode"] != nil {
			return nil, fmt.Errorf("the function's answer is none: %w", err)
		}
		a.body = payload
		return a, nil
	}
	if *s.Status < 100 || *s.Status > 599 {
		return nil, fmt.Errorf("the function's statusCode is %d", *s.Status)
	}
	a.status = *s.Status
	for name, raw := range s.Headers {
		value, err := headerValue(raw)
		if err != nil {
			return nil, fmt.Errorf("the function's header %s: %w", name, err)
		}
		a.header.Set(name, value)
	}
	for _, c := range s.Cookies {
		a.header.Add("Set-Cookie", c)
	}
	a.body = []byte(s.Body)
	if s.Base64 {
		body, err := base64.StdEncoding.DecodeString(s.Body)
		if err != nil {
			return nil, fmt.Errorf("the function's body: %w", err)
		}
		a.body = body
	}
	return a, nil
}

// headerValue takes strings, numbers and booleans.
func headerValue(raw json.RawMessage) (string, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, float64:
		return string(raw), nil
	}
	return "", fmt.Errorf("%s is no value", raw)
}

func (r *refusal) answer() *answer {
	h := r.header
	if h == nil {
		h = http.Header{}
	}
	body, _ := json.Marshal(map[string]string{"message": r.message}) // strings do not fail
	return &answer{status: r.status, header: h, body: body}
}

func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, values := range a.header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Del("Content-Length")
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified || a.status < 200 {
		a.body = nil
	} else {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.body) // who has gone does not read it
	}
}
