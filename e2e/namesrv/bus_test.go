//go:build e2e

package namesrv

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestTheBusIsTold: what happens over a table is on the bus, and what the bus
// refuses is told again.
func TestTheBusIsTold(t *testing.T) {
	var mu sync.Mutex
	var told []string
	calls := 0
	bus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var put struct {
			Entries []struct{ EventBusName, DetailType, Detail string }
		}
		if err := json.NewDecoder(r.Body).Decode(&put); err != nil {
			t.Errorf("put: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		calls++
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if calls == 1 {
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"__type":"AccessDeniedException","message":"not yet"}`))
			return
		}
		var answer struct{ Entries []struct{ EventId string } }
		for _, e := range put.Entries {
			told = append(told, e.EventBusName+" "+e.DetailType+" "+e.Detail)
			answer.Entries = append(answer.Entries, struct{ EventId string }{"e"})
		}
		_ = json.NewEncoder(w).Encode(answer) // who asked is gone then
	}))
	defer bus.Close()
	t.Setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", bus.URL)
	s := launch(t, newTable(t), "--eventBusName", "the-bus", "--scanNotActiveBrokerInterval", "1000")
	c := s.dial()
	s.register(c, "b1", "10.0.0.1:10911")
	c.Close()
	heard := func(kind string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range told {
			if strings.HasPrefix(e, "the-bus "+kind+" ") && strings.Contains(e, `"brokerName":"b1"`) {
				return true
			}
		}
		return false
	}
	for _, kind := range []string{"BrokerRegistered", "TopicRouteChanged", "BrokerUnregistered"} {
		wait(t, "the bus hears no "+kind, func() bool { return heard(kind) })
	}
}
