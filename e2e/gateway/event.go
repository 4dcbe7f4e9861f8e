package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// event is a request as a function gets it, payload format 2.0.
type event struct {
	Version        string            `json:"version"`
	RouteKey       string            `json:"routeKey"`
	RawPath        string            `json:"rawPath"`
	RawQuery       string            `json:"rawQueryString"`
	Cookies        []string          `json:"cookies,omitempty"`
	Headers        map[string]string `json:"headers"`
	Query          map[string]string `json:"queryStringParameters,omitempty"`
	PathParameters map[string]string `json:"pathParameters,omitempty"`
	Context        requestContext    `json:"requestContext"`
	Body           *string           `json:"body,omitempty"`
	Base64         bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	RouteKey     string      `json:"routeKey"`
	Account      string      `json:"accountId"`
	Stage        string      `json:"stage"`
	RequestID    string      `json:"requestId"`
	Authorizer   *authorizer `json:"authorizer,omitempty"`
	API          string      `json:"apiId"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
	HTTP         httpContext `json:"http"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// authorizer tells a function who calls. The zero pointer is nobody.
type authorizer struct {
	IAM *iamCaller `json:"iam,omitempty"`
	JWT *jwtCaller `json:"jwt,omitempty"`
}

// connectionHeaders end at the gateway.
var connectionHeaders = map[string]bool{
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
	"proxy-authorization": true, "proxy-connection": true, "expect": true,
}

// event makes the event of a request.
func (g *Gateway) event(r *http.Request, body []byte, route *Route, params map[string]string, caller *authorizer, id string) ([]byte, error) {
	now := g.o.Now()
	source, port, _ := net.SplitHostPort(r.RemoteAddr)
	host, _, _ := strings.Cut(r.Host, ":")
	prefix, _, _ := strings.Cut(host, ".")
	e := event{
		Version: "2.0", RouteKey: route.Key, RawPath: r.URL.Path, RawQuery: r.URL.RawQuery,
		Headers: map[string]string{}, Query: map[string]string{}, PathParameters: params,
		Context: requestContext{
			RouteKey: route.Key, Account: g.o.Account, Stage: g.o.Stage, RequestID: id, Authorizer: caller, API: g.o.API,
			DomainName: host, DomainPrefix: prefix,
			Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: httpContext{Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent()},
		},
	}
	for name, values := range r.Header {
		switch name = strings.ToLower(name); {
		case name == "cookie":
			for _, v := range values {
				for c := range strings.SplitSeq(v, ";") {
					e.Cookies = append(e.Cookies, strings.TrimSpace(c))
				}
			}
		case !connectionHeaders[name]:
			e.Headers[name] = strings.Join(values, ",")
		}
	}
	e.Headers["host"] = r.Host
	e.Headers["content-length"] = fmt.Sprint(len(body))
	e.Headers["x-amzn-trace-id"] = "Root=1-" + fmt.Sprintf("%08x", now.Unix()) + "-" + id
	e.Headers["x-forwarded-for"], e.Headers["x-forwarded-port"], e.Headers["x-forwarded-proto"] = source, port, "https"
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be decoded is in RawQuery alone
	for name, values := range query {
		e.Query[name] = strings.Join(values, ",")
	}
	if len(body) > 0 {
		text := string(body)
		if e.Base64 = !isText(r.Header.Get("Content-Type")); e.Base64 {
			text = base64.StdEncoding.EncodeToString(body)
		}
		e.Body = &text
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out) // puts U+FFFD for every byte that is not UTF-8, as the service does
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encode the event: %w", err)
	}
	if out.Len() > maxEvent {
		return nil, refuse(http.StatusRequestEntityTooLarge, "Request Entity Too Large", fmt.Errorf("an event of %d bytes", out.Len()))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// isText says whether a body travels as a string. Only its type decides, not
// whether it is compressed: gzip under application/json arrives destroyed.
func isText(contentType string) bool {
	name, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch name {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(name, "text/")
}
