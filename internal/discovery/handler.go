package discovery

import (
	"net/http"
	"strconv"
	"strings"
)

// path is what all clients ask for unless rocketmq.namesrv.domain.subgroup says
// otherwise; those of a unit append -unit.
const path = "/rocketmq/nsaddr"

// handler answers with the list. All units have the same one. What is not known
// yet is 503, never an empty list: clients of 4.8 would take that for one
// server without a name.
func handler(l *list) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !listed(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
			return
		}
		text := l.text.Load()
		if text == nil {
			w.Header().Set("Retry-After", "5")
			http.Error(w, "the NameServers are not known yet", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(*text)))
		h.Set("Cache-Control", "no-store")
		// No line end: some clients do not take it off.
		_, _ = w.Write([]byte(*text)) // who is gone need not have it
	})
}

// listed says whether the path asks for the list, of a unit or without.
func listed(p string) bool {
	rest, ok := strings.CutPrefix(p, path)
	if !ok || rest == "" {
		return ok
	}
	unit, ok := strings.CutPrefix(rest, "-")
	return ok && unit != "" && !strings.Contains(unit, "/")
}
