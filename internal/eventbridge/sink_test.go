package eventbridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"signpost/core"
	"signpost/internal/eventbridge"
)

// entry is one entry of a PutEvents call as it is on the wire.
type entry struct {
	EventBusName, Source, DetailType, Detail string
	Time                                     float64
}

// bus is an EventBridge endpoint. answer says what a call gets; nil accepts all.
type bus struct {
	*httptest.Server
	mu     sync.Mutex
	calls  [][]entry
	answer func(call int, entries []entry) (status int, body string)
}

func newBus(t *testing.T) *bus {
	b := &bus{}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Entries []entry }
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &in); err != nil || r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" {
		http.Error(w, "not PutEvents", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	call := len(b.calls)
	b.calls = append(b.calls, in.Entries)
	b.mu.Unlock()
	status, answer := http.StatusOK, accept(len(in.Entries))
	if b.answer != nil {
		status, answer = b.answer(call, in.Entries)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	io.WriteString(w, answer)
}

// accept is the answer of a bus that refuses the entries at those indices.
func accept(n int, refused ...int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"EventId":"e-%d"}`, i)
		if slices.Contains(refused, i) {
			entries[i] = `{"ErrorCode":"InternalFailure","ErrorMessage":"try again"}`
		}
	}
	return fmt.Sprintf(`{"FailedEntryCount":%d,"Entries":[%s]}`, len(refused), strings.Join(entries, ","))
}

func (b *bus) sink() *eventbridge.Sink {
	return eventbridge.New(eventbridge.NewClient(aws.Config{
		Region: "eu-central-1", BaseEndpoint: &b.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}), "the-bus")
}

func (b *bus) entries() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Concat(b.calls...)
}

var at = time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC)

func evicted(n int) []core.Event {
	events := make([]core.Event, n)
	for i := range events {
		events[i] = core.Event{Kind: core.BrokerEvicted, Revision: core.Revision(i + 1), At: at, Cluster: "c", Broker: fmt.Sprintf("broker-%d", i), Addr: "10.0.0.1:10911"}
	}
	return events
}

func TestPublishInCallsOfTen(t *testing.T) {
	b := newBus(t)
	if n, err := b.sink().Publish(t.Context(), evicted(23)); n != 23 || err != nil {
		t.Fatalf("%d accepted, %v", n, err)
	}
	var sizes []int
	for _, c := range b.calls {
		sizes = append(sizes, len(c))
	}
	if !slices.Equal(sizes, []int{10, 10, 3}) {
		t.Errorf("calls of %v entries", sizes)
	}
	for i, e := range b.entries() {
		if e.EventBusName != "the-bus" || e.Source != "signpost" || e.DetailType != "BrokerEvicted" || e.Time != float64(at.Unix()) {
			t.Errorf("entry %d is %+v", i, e)
		}
		if want := fmt.Sprintf(`"brokerName":"broker-%d"`, i); !strings.Contains(e.Detail, want) {
			t.Errorf("entry %d is of another event: %s", i, e.Detail)
		}
	}
}

func TestPublishKeepsCallsBelowTheirSize(t *testing.T) {
	b := newBus(t)
	events := evicted(8)
	for i := range events {
		events[i].Kind = core.TopicRouteChanged
		for range 100 {
			events[i].Topics = append(events[i].Topics, strings.Repeat("x", 1000))
		}
	}
	if n, err := b.sink().Publish(t.Context(), events); n != 8 || err != nil {
		t.Fatalf("%d accepted, %v", n, err)
	}
	if len(b.calls) < 4 {
		t.Errorf("8 events of 100 kB in %d calls", len(b.calls))
	}
}

// TestLongNames: what PutEvents does not take would block its outbox for ever.
func TestLongNames(t *testing.T) {
	for name, letter := range map[string]string{"as they are": "<", "escaped": "\x01"} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t)
			e := core.Event{Kind: core.TopicRouteChanged, Revision: 1, At: at, Cluster: "c", Broker: "b", Count: 100}
			for i := range 100 {
				e.Topics = append(e.Topics, fmt.Sprintf("%03d", i)+strings.Repeat(letter, 509))
			}
			if n, err := b.sink().Publish(t.Context(), []core.Event{e}); n != 1 || err != nil {
				t.Fatalf("%d accepted, %v", n, err)
			}
			var d struct {
				Topics     []string
				TopicCount int
			}
			got := b.entries()[0].Detail
			if err := json.Unmarshal([]byte(got), &d); err != nil {
				t.Fatal(err)
			}
			want := e.Topics // they fit
			if letter != "<" {
				want = want[:50]
			}
			if len(got) > 255<<10 || d.TopicCount != 100 || !slices.Equal(d.Topics, want) {
				t.Errorf("%d bytes with %d names of %d", len(got), len(d.Topics), d.TopicCount)
			}
		})
	}
}

// TestRest: a bus that fails is not asked again at once, whoever publishes.
func TestRest(t *testing.T) {
	b, now := newBus(t), at
	s := b.sink()
	s.SetClock(func() time.Time { return now })
	for _, c := range []struct {
		name   string
		after  time.Duration
		status int
		refuse []int
		want   int
		calls  int
	}{
		{"it fails", 0, 400, nil, 0, 1},
		{"it is left alone", 4999 * time.Millisecond, 200, nil, 0, 0},
		{"it refuses an entry, which is no failure", time.Millisecond, 200, []int{1}, 1, 1},
		{"it is asked again", 0, 200, nil, 2, 1},
	} {
		now = now.Add(c.after)
		b.answer = func(_ int, e []entry) (int, string) { return c.status, accept(len(e), c.refuse...) }
		before := len(b.calls)
		n, err := s.Publish(t.Context(), evicted(2))
		if n != c.want || (err == nil) != (c.want == 2) || errors.Is(err, eventbridge.ErrResting) != (c.calls == 0) || len(b.calls)-before != c.calls {
			t.Errorf("%s: %d accepted in %d calls, %v", c.name, n, len(b.calls)-before, err)
		}
	}
}

func TestPublishOfNothing(t *testing.T) {
	b := newBus(t)
	if n, err := b.sink().Publish(t.Context(), nil); n != 0 || err != nil || len(b.calls) != 0 {
		t.Errorf("%d accepted, %v, in %d calls", n, err, len(b.calls))
	}
}

func TestRefusedEntries(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(call int, entries []entry) (int, string)
		want   int
		calls  int
	}{
		"the first of all":      {func(int, []entry) (int, string) { return 200, accept(10, 0) }, 0, 1},
		"one in the middle":     {func(int, []entry) (int, string) { return 200, accept(10, 4, 7) }, 4, 1},
		"one of the second ten": {func(call int, e []entry) (int, string) { return 200, accept(len(e), slices.Repeat([]int{2}, call)...) }, 12, 2},
		"fewer answers":         {func(int, []entry) (int, string) { return 200, accept(3) }, 0, 1},
		"no answers":            {func(int, []entry) (int, string) { return 200, `{}` }, 0, 1},
		"no event ids":          {func(int, []entry) (int, string) { return 200, `{"Entries":[{},{},{},{},{},{},{},{},{},{}]}` }, 0, 1},
		"garbage":               {func(int, []entry) (int, string) { return 200, `{"Entries":` }, 0, 1},
		"not allowed":           {func(int, []entry) (int, string) { return 400, `{"__type":"AccessDeniedException"}` }, 0, 1},
		"throttled": {func(int, []entry) (int, string) {
			return 400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`
		}, 0, 2},
		"failing": {func(int, []entry) (int, string) { return 500, `{"__type":"InternalException"}` }, 0, 2},
		"throttled once": {func(call int, e []entry) (int, string) {
			if call == 0 {
				return 400, `{"__type":"ThrottlingException"}`
			}
			return 200, accept(len(e))
		}, 15, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t)
			b.answer = c.answer
			n, err := b.sink().Publish(t.Context(), evicted(15))
			if n != c.want || (err == nil) != (c.want == 15) {
				t.Errorf("%d accepted, %v; want %d", n, err, c.want)
			}
			if len(b.calls) != c.calls {
				t.Errorf("%d calls, want %d", len(b.calls), c.calls)
			}
		})
	}
}

// TestPublishEndsWithItsContext: nobody waits for a bus that does not answer.
func TestPublishEndsWithItsContext(t *testing.T) {
	b := newBus(t)
	called, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	b.answer = func(int, []entry) (int, string) { close(called); <-release; return 200, `{}` }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-called; cancel() }()
	s := b.sink()
	if n, err := s.Publish(ctx, evicted(1)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d accepted, %v", n, err)
	}
	// That says nothing of the bus: the next call is made.
	b.answer = nil
	if n, err := s.Publish(t.Context(), evicted(1)); n != 1 || err != nil {
		t.Errorf("then %d accepted, %v", n, err)
	}
}

// samples has events of every kind, full ones and bare ones.
func samples() []core.Event {
	var topics []string
	for i := range 100 {
		topics = append(topics, fmt.Sprintf("%%RETRY%%group-%d \"<é\u2028", i))
	}
	all := []core.Event{
		{Kind: core.BrokerRegistered, Revision: 1, OldAddr: "10.0.0.2:10911"},
		{Kind: core.BrokerRegistered, Revision: 2, ID: 3},
		{Kind: core.BrokerUnregistered, Revision: 3, ID: 1},
		{Kind: core.BrokerEvicted, Revision: 4, ID: -1},
		{Kind: core.MasterChanged, Revision: 5, OldAddr: "10.0.0.2:10911"},
		{Kind: core.TopicRouteChanged, Revision: 6, Topics: topics, Count: 10_000},
		{Kind: core.TopicRouteChanged, Revision: 7},
		{Kind: core.BrokerNameConflict, Revision: 8, OldAddr: "another cluster 10.0.0.2:10911"},
	}
	for i := range all {
		all[i].At, all[i].Cluster, all[i].Broker, all[i].Addr = at, "a cluster", "broker-a", "10.0.0.1:10911"
	}
	gone, later := all[4], all[5]
	gone.Addr = ""
	later.At = at.Add(time.Millisecond) // both raised by the one who came after a crash
	return append(all, gone, later, core.Event{Kind: core.MassExpiryHeld, At: at, Count: 2})
}

func TestDetailsFollowTheirSchemas(t *testing.T) {
	const dir = "../../infra/events"
	b := newBus(t)
	if n, err := b.sink().Publish(t.Context(), samples()); err != nil {
		t.Fatalf("%d accepted, %v", n, err)
	}
	sent := map[string]bool{}
	for _, e := range b.entries() {
		sent[e.DetailType] = true
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		schema, err := c.Compile(filepath.Join(dir, e.DetailType+".json"))
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(strings.NewReader(e.Detail))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%s %s: %v", e.DetailType, e.Detail, err)
		}
		properties := membersOf(t, filepath.Join(dir, e.DetailType+".json"))
		for name := range instance.(map[string]any) {
			if !properties[name] {
				t.Errorf("%s has %s, which its schema does not name", e.DetailType, name)
			}
		}
		for name := range instance.(map[string]any) {
			without := map[string]any{}
			for k, v := range instance.(map[string]any) {
				if k != name {
					without[k] = v
				}
			}
			if required(t, filepath.Join(dir, e.DetailType+".json"), name) && schema.Validate(without) == nil {
				t.Errorf("%s without %s is valid", e.DetailType, name)
			}
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if kind := strings.TrimSuffix(f.Name(), ".json"); !sent[kind] {
			t.Errorf("%s is of a kind that nobody sends", f.Name())
		}
	}
	for _, kind := range []core.EventKind{
		core.BrokerRegistered, core.BrokerUnregistered, core.BrokerEvicted, core.MasterChanged, core.TopicRouteChanged,
		core.BrokerNameConflict, core.MassExpiryHeld,
	} {
		if !sent[string(kind)] {
			t.Errorf("%s was not sent", kind)
		}
	}
}

type schemaFile struct {
	Required   []string
	Properties map[string]any
}

func readSchema(t *testing.T, path string) (s schemaFile) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func membersOf(t *testing.T, path string) map[string]bool {
	members := map[string]bool{}
	for name := range readSchema(t, path).Properties {
		members[name] = true
	}
	return members
}

func required(t *testing.T, path, member string) bool {
	return slices.Contains(readSchema(t, path).Required, member)
}

// TestIDs: an event that comes again has its id, and no other one has it.
func TestIDs(t *testing.T) {
	ids := func() (all []string) {
		b := newBus(t)
		if _, err := b.sink().Publish(t.Context(), samples()); err != nil {
			t.Fatal(err)
		}
		for _, e := range b.entries() {
			var d struct{ ID string }
			if err := json.Unmarshal([]byte(e.Detail), &d); err != nil {
				t.Fatal(err)
			}
			all = append(all, d.ID)
		}
		return all
	}
	first := ids()
	if again := ids(); !reflect.DeepEqual(first, again) {
		t.Errorf("%v and then %v", first, again)
	}
	slices.Sort(first)
	if n := len(slices.Compact(slices.Clone(first))); n != len(first) {
		t.Errorf("%d ids of %d events: %v", n, len(first), first)
	}
}

func TestAConflictTellsWhoWasRefused(t *testing.T) {
	b := newBus(t)
	if _, err := b.sink().Publish(t.Context(), samples()[7:8]); err != nil {
		t.Fatal(err)
	}
	const want = `"refusedClusterName":"another cluster","refusedBrokerAddr":"10.0.0.2:10911"`
	if d := b.entries()[0].Detail; !strings.Contains(d, want) {
		t.Errorf("%s has no %s", d, want)
	}
}

func TestAnUnknownKindIsAFault(t *testing.T) {
	b := newBus(t)
	events := append(evicted(1), core.Event{Kind: "Another", At: at})
	if n, err := b.sink().Publish(t.Context(), events); n != 0 || err == nil || len(b.calls) != 0 {
		t.Errorf("%d accepted, %v, in %d calls", n, err, len(b.calls))
	}
}
