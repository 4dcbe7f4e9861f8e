package gateway

import (
	"fmt"
	"strings"
)

// Auth is how a route finds out who calls.
type Auth string

// The authorizations of routes that the service calls so too.
const (
	NoAuth Auth = "NONE"
	IAM    Auth = "AWS_IAM"
	JWT    Auth = "JWT"
)

// Route leads one route key to a function.
type Route struct {
	// Key is "METHOD /path", where the method may be ANY and the last segment
	// {name+} for all that is left, or "$default" for whatever no other key
	// takes.
	Key    string
	Auth   Auth
	Scopes []string // JWT: one of them is needed
	// Function is the integration, always of payload format 2.0.
	Function Function

	// permission, if set, is what the function lets the gateway call for.
	permission Policy
}

func (r Route) check() error {
	method, path, ok := strings.Cut(r.Key, " ")
	switch {
	case r.Function == nil:
		return fmt.Errorf("route %s has no function", r.Key)
	case r.Auth != NoAuth && r.Auth != IAM && r.Auth != JWT:
		return fmt.Errorf("route %s: there is no authorization %q", r.Key, r.Auth)
	case r.Key == DefaultStage || ok && method != "" && strings.HasPrefix(path, "/"):
		return nil
	}
	return fmt.Errorf("%q is no route key", r.Key)
}

// match finds the route that the service would take: the whole path and the
// method, then a greedy one, the longest first, then $default.
func match(routes []Route, method, path string) (*Route, map[string]string) {
	var best *Route
	var params map[string]string
	rank := -1
	for i := range routes {
		n, p := routes[i].match(method, path)
		if n > rank {
			best, params, rank = &routes[i], p, n
		}
	}
	return best, params
}

// match says how well a call fits: -1 not at all, more is better.
func (r *Route) match(method, path string) (int, map[string]string) {
	const whole = 1 << 20 // above any length of a path
	if r.Key == DefaultStage {
		return 0, nil
	}
	want, pattern, _ := strings.Cut(r.Key, " ")
	exact := 1
	switch want {
	case method:
	case "ANY":
		exact = 0
	default:
		return -1, nil
	}
	prefix, name, greedy := strings.Cut(pattern, "{")
	if !greedy {
		if pattern == path {
			return whole + exact, nil
		}
		return -1, nil
	}
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest == "" {
		return -1, nil
	}
	return 2*len(prefix) + exact, map[string]string{strings.TrimSuffix(name, "+}"): rest}
}
