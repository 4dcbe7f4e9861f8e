package compare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/acl"
	"signpost/internal/compare"
	"signpost/internal/memory"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none of them waits for it to end.
const patience = 20 * time.Second

var options = compare.Options{Connections: 4, Timeout: patience}

// fixture is a NameServer of ours on a free port.
type fixture struct {
	t        *testing.T
	addr     string
	registry *core.Registry
	switches atomic.Pointer[nameserver.Switches]
	most     atomic.Int64 // connections at a time
	open     atomic.Int64
}

func (f *fixture) Requests(remoting.Code, remoting.Code, int, time.Duration) {}
func (f *fixture) Refused(string)                                            {}
func (f *fixture) ConnectionClosed()                                         { f.open.Add(-1) }
func (f *fixture) ConnectionOpened() {
	if n := f.open.Add(1); n > f.most.Load() {
		f.most.Store(n)
	}
}

func start(t *testing.T) *fixture {
	t.Helper()
	return startWith(t, nil)
}

func startWith(t *testing.T, authorize func(*remoting.Command, netip.Addr) error) *fixture {
	t.Helper()
	f := &fixture{t: t}
	f.switches.Store(&nameserver.Switches{TopicList: true, AllTopicList: true})
	var ids atomic.Int64
	f.registry = core.New(memory.New(), core.Options{
		NewID: func() string { return strconv.FormatInt(ids.Add(1), 10) },
		Rules: core.Rules{OrderMessages: true},
	})
	server := nameserver.New(nameserver.Options{
		Registry: f.registry, Observer: f, Local: true, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Switches:  func() *nameserver.Switches { return f.switches.Load() },
		Secure:    func(c net.Conn) (net.Conn, error) { return c, nil },
		Authorize: authorize,
		Limits: nameserver.Limits{Frame: 1 << 20, Registration: 1 << 20, Inflated: 1 << 20, Topics: 1000, Connections: 100, InFlight: 8,
			Idle: patience, Read: patience, Write: patience, Handler: patience, BrokerTimeout: core.DefaultTimeout},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		server.Shutdown(ctx, 0)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f
}

// register registers a broker with topics of so many queues.
func (f *fixture) register(broker, addr string, id int64, queues int32, topics ...string) {
	f.t.Helper()
	content := core.Content{DataVersion: core.DataVersion{Counter: int64(queues)}}
	for _, name := range topics {
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: queues, Write: queues, Perm: 6}})
	}
	_, err := f.registry.Register(f.t.Context(), time.Now(), core.Registration{
		Cluster: "c", Broker: broker, ID: id, Addr: addr, Timeout: core.DefaultTimeout, Front: "test",
		Content: func() (core.Content, error) { return content, nil },
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) putOrder(topic, conf string) {
	f.t.Helper()
	if _, err := f.registry.PutKV(f.t.Context(), core.OrderNamespace, topic, conf); err != nil {
		f.t.Fatal(err)
	}
}

func run(t *testing.T, a, b string, o compare.Options) *compare.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := compare.Run(ctx, compare.Server{Addr: a}, compare.Server{Addr: b}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheSameIsEqual(t *testing.T) {
	a, b := start(t), start(t)
	for i, f := range []*fixture{a, b} {
		// In another order each time, which is none of what they say.
		for j := range 2 {
			n := (i + j) % 2
			f.register(fmt.Sprintf("b%d", n), fmt.Sprintf("10.0.0.%d:10911", n), 0, 4, "orders", "%RETRY%group", fmt.Sprintf("own%d", n))
		}
		f.register("b0", "10.0.1.0:10911", 1, 4, "orders", "more")
		f.putOrder("orders", "b0:4")
	}
	r := run(t, a.addr, b.addr, options)
	if !r.Equal || len(r.Differences) != 0 || r.Brokers != 2 || r.Topics != 4 || len(r.NotCompared) != 0 {
		t.Errorf("%+v", r)
	}
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil || text.String() != "A "+a.addr+" and B "+b.addr+" say the same of 2 brokers and 4 topics\n" {
		t.Errorf("%q, %v", text.String(), err)
	}
	if most := max(a.most.Load(), b.most.Load()); most > int64(options.Connections) {
		t.Errorf("%d connections at a time, want at most %d", most, options.Connections)
	}
}

func TestDifferencesByBrokerAndTopic(t *testing.T) {
	a, b := start(t), start(t)
	a.register("b1", "10.0.0.1:10911", 0, 4, "both", "onlyA")
	a.register("b1", "10.0.0.9:10911", 1, 4, "both", "onlyA")
	a.register("b2", "10.0.0.2:10911", 0, 4, "both", "more")
	b.register("b1", "10.0.0.7:10911", 0, 8, "both", "onlyB")
	a.putOrder("orders", "b1:4")
	b.putOrder("orders", "b1:8")
	b.putOrder("another", "b1:1")
	r := run(t, a.addr, b.addr, options)
	want := []compare.Difference{
		{Kind: "cluster", Name: "c", What: "b2", A: "listed"},
		{Kind: "broker", Name: "b1", What: "address of 0", A: "10.0.0.1:10911", B: "10.0.0.7:10911"},
		{Kind: "broker", Name: "b1", What: "address of 1", A: "10.0.0.9:10911"},
		{Kind: "broker", Name: "b2", A: "there"},
		{Kind: "topic", Name: "both", Broker: "b1", What: "address of 0", A: "10.0.0.1:10911", B: "10.0.0.7:10911"},
		{Kind: "topic", Name: "both", Broker: "b1", What: "address of 1", A: "10.0.0.9:10911"},
		{Kind: "topic", Name: "both", Broker: "b1", What: "read queues", A: "4", B: "8"},
		{Kind: "topic", Name: "both", Broker: "b1", What: "write queues", A: "4", B: "8"},
		{Kind: "topic", Name: "both", Broker: "b2", A: "there"},
		{Kind: "topic", Name: "more", A: "there"},
		{Kind: "topic", Name: "onlyA", A: "there"},
		{Kind: "topic", Name: "onlyB", B: "there"},
		{Kind: "list", Name: "system topics", What: "b2", A: "listed"},
		{Kind: "order", Name: "another", B: "b1:1"},
		{Kind: "order", Name: "orders", A: "b1:4", B: "b1:8"},
	}
	if r.Equal || !reflect.DeepEqual(r.Differences, want) {
		t.Errorf("got\n%s", lines(r.Differences))
		t.Errorf("want\n%s", lines(want))
	}
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"differ in 2 of 2 brokers and 4 of 4 topics\n", "\ntopic both\n  b1 address of 0  A 10.0.0.1:10911  B 10.0.0.7:10911\n",
		"  b1 read queues   A 4               B 8\n", "  b2               A there           B -\n", "\ntopic more   A there  B -\ntopic onlyA  A there  B -\ntopic onlyB  A -      B there\n",
	} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("no %q in\n%s", part, &text)
		}
	}

	o := options
	o.Ignored = compare.Ignoring([]string{"broker/*", "*/b1/address of *", "topic/only?", "topic/onl*", "cluster/c/b2", "list/*", "order/another"})
	some := run(t, a.addr, b.addr, o)
	if got := lines(some.Differences); got != lines([]compare.Difference{want[6], want[7], want[8], want[9], want[14]}) || some.Ignored != 10 {
		t.Errorf("with %d ignored:\n%s", some.Ignored, got)
	}
	all := o
	all.Ignored = compare.Ignoring([]string{"*"})
	if r := run(t, a.addr, b.addr, all); !r.Equal || r.Ignored != len(want) {
		t.Errorf("all ignored: %+v", r)
	}
}

func lines(ds []compare.Difference) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s: %q %q\n", d.Path(), d.A, d.B)
	}
	return b.String()
}

func TestTheJSONForm(t *testing.T) {
	a, b := start(t), start(t)
	a.register("b1", "10.0.0.1:10911", 0, 4, "t", "u")
	b.register("b1", "10.0.0.1:10911", 0, 5, "t", "u")
	o := options
	o.Ignored = compare.Ignoring([]string{"topic/u/*", "*/write queues"})
	text, err := json.Marshal(run(t, a.addr, b.addr, o))
	want := fmt.Sprintf(`{"a":%q,"b":%q,"equal":false,"brokers":1,"topics":2,`+
		`"differences":[{"kind":"topic","name":"t","broker":"b1","what":"read queues","a":"4","b":"5"}],"ignored":3,"notCompared":[]}`, a.addr, b.addr)
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want\n%s", text, err, want)
	}
}

func TestListsThatOneDoesNotAnswerAreNotCompared(t *testing.T) {
	a, b := start(t), start(t)
	a.register("b1", "10.0.0.1:10911", 0, 4, "t", "u")
	b.register("b1", "10.0.0.1:10911", 0, 4, "t", "u")
	b.switches.Store(&nameserver.Switches{})
	r := run(t, a.addr, b.addr, options)
	want := []string{"subscription topics without unit", "topics", "unit subscription topics", "unit topics"}
	if !r.Equal || !reflect.DeepEqual(r.NotCompared, want) || r.Topics != 2 {
		t.Errorf("%+v", r)
	}
	b.register("b1", "10.0.0.1:10911", 0, 5, "t", "u")
	if r := run(t, b.addr, a.addr, options); r.Equal || len(r.Differences) != 4 {
		t.Errorf("routes are compared without it too: %+v", r)
	}
	a.switches.Store(&nameserver.Switches{})
	if _, err := compare.Run(t.Context(), compare.Server{Addr: a.addr}, compare.Server{Addr: b.addr}, options); err == nil || !strings.Contains(err.Error(), "enableAllTopicList") {
		t.Errorf("nothing can be compared: %v", err)
	}
}

func TestWhatCannotBeAskedIsAnError(t *testing.T) {
	a, b := start(t), start(t)
	a.register("b1", "10.0.0.1:10911", 0, 4, "t", "u")
	b.switches.Store(&nameserver.Switches{AllTopicList: true, ServiceFrom: time.Now().Add(time.Hour)})
	if _, err := compare.Run(t.Context(), compare.Server{Addr: a.addr}, compare.Server{Addr: b.addr}, options); err == nil ||
		!strings.HasPrefix(err.Error(), b.addr+": route of ") || !strings.Contains(err.Error(), "name server not ready") {
		t.Errorf("routes are not answered: %v", err)
	}
	l := silent(t)
	o := options
	o.Timeout = 50 * time.Millisecond
	if _, err := compare.Run(t.Context(), compare.Server{Addr: a.addr}, compare.Server{Addr: l}, o); err == nil || err.Error() != l+": clusters: no answer within 50ms" {
		t.Errorf("nothing is answered: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := compare.Run(ctx, compare.Server{Addr: a.addr}, compare.Server{Addr: b.addr}, options); err == nil {
		t.Error("the end of the context is no error")
	}
}

// silent is a server that takes connections and answers nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().String()
}

// TestAnswersThatAreNone: what a peer sends is not believed.
func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]func(remoting.Command) remoting.Command{
		"of another request": func(r remoting.Command) remoting.Command { a := r.Reply(0); a.Opaque++; return a },
		"a request":          func(r remoting.Command) remoting.Command { return r },
		"without a body":     func(r remoting.Command) remoting.Command { return r.Reply(0) },
		"not decodable":      func(r remoting.Command) remoting.Command { a := r.Reply(0); a.Body = []byte("[1]"); return a },
		"a refusal":          func(r remoting.Command) remoting.Command { a := r.Reply(1); a.Remark = "no"; return a },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				serving.Go(func() {
					defer c.Close()
					var r remoting.Command
					if remoting.NewReader(c, nil).Next(&r) == nil {
						reply := answer(r)
						c.Write(remoting.AppendFrame(nil, &reply))
					}
				})
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if r, err := compare.Run(ctx, compare.Server{Addr: l.Addr().String()}, compare.Server{Addr: l.Addr().String()}, options); err == nil || ctx.Err() != nil {
			t.Errorf("an answer %s: %+v, %v; %v", name, r, err, ctx.Err())
		}
		cancel()
		l.Close()
		serving.Wait()
	}
}

func TestAsAnAccount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.yml")
	if err := os.WriteFile(path, []byte("accounts:\n  - {accessKey: reader, secretKey: the-secret, permissions: [read]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := acl.Open(acl.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	a, b := start(t), startWith(t, guard.Authorize)
	for _, f := range []*fixture{a, b} {
		f.register("b1", "10.0.0.1:10911", 0, 4, "t", "u")
		f.putOrder("t", "b1:4")
	}
	o := options
	o.Account = &compare.Account{AccessKey: "reader", SecretKey: "the-secret"}
	if r := run(t, a.addr, b.addr, o); !r.Equal || r.Topics != 2 || len(r.NotCompared) != 0 {
		t.Errorf("%+v", r)
	}
	o.Account = &compare.Account{AccessKey: "reader", SecretKey: "another-secret"}
	for _, o := range []compare.Options{o, options} {
		if _, err := compare.Run(t.Context(), compare.Server{Addr: a.addr}, compare.Server{Addr: b.addr}, o); err == nil ||
			!strings.Contains(err.Error(), "NO_PERMISSION") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}
