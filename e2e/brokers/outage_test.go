//go:build e2e

package brokers

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/e2e/functions/stack"
	"signpost/e2e/peers"
	"signpost/e2e/shim/fleet"
	"signpost/e2e/shim/link"
	"signpost/internal/remoting"
)

// outage is brokers of three releases, a producer and a consumer through two
// shims, to which things happen while messages flow. A Java NameServer that
// hears the same brokers stands beside.
type outage struct {
	t                  *testing.T
	cloud              *fleet.Cloud
	both               *nameServer // the two shims
	java               *nameServer
	brokers            map[string]*peers.Process // by release
	producer, consumer *process
	sent               int      // by new clients
	wrong              []string // what was, said once more behind all output
}

func (o *outage) errorf(format string, args ...any) {
	o.t.Helper()
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
	o.t.Error(o.wrong[len(o.wrong)-1])
}

// TestOutages breaks everything there is between brokers and the cloud, one
// after the other. At no time does a client that knows nothing yet fail for
// want of a route, and after each of them the shims hold what the Java
// NameServer holds.
func TestOutages(t *testing.T) {
	t.Parallel()
	o := startOutage(t)
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a shim is killed", o.aShimIsKilled},
		{"the API fails", o.theAPIFails},
		{"the API is away for longer than a lease", o.awayForLongerThanALease},
		{"the table is empty", o.theTableIsEmpty},
		{"the shims are killed while the API is away", o.killedWhileTheAPIIsAway},
	} {
		began := time.Now()
		step.do()
		o.same(step.name)
		t.Logf("%s: %v", step.name, time.Since(began).Round(time.Second))
		if t.Failed() {
			t.Fatalf("after: %s", step.name)
		}
	}
	for _, line := range o.producer.lines("failed") {
		if strings.Contains(line, "No route info") || strings.Contains(line, "name server") {
			o.errorf("for want of a route: %s", line)
		}
	}
	awaitMessages(t, soon+brokerTimeout, o.consumer, sent(o.producer))
}

func startOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{t: t, brokers: map[string]*peers.Process{}}
	t.Cleanup(func() {
		if len(o.wrong) > 0 {
			t.Logf("in short:\n%s", strings.Join(o.wrong, "\n"))
		}
	})
	o.cloud = startCloud(t, stack.Options{})
	o.both = together(newShim(t, o.cloud, "beatMillis=1000"), newShim(t, o.cloud, "beatMillis=1000"))
	o.both.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), brokerTimeout)
	defer cancel()
	java, err := peers.StartNameServer(ctx, peers.V533)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, java) })
	o.java = &nameServer{addr: java.Addr, java: java}
	for _, version := range versions {
		o.brokers[version] = o.startBroker(version)
	}
	o.both.awaitRoute(t, brokerTimeout, "TBW102", o.route(7, versions...))
	admin{version: peers.V533, namesrv: o.both.addr}.expect(t, []string{"success."}, "updateTopic", "-c", "DefaultCluster", "-t", "events")
	o.both.awaitRoute(t, soon, "events", o.route(6, versions...))
	o.consumer = startConsumer(t, peers.V533, o.both.addr, "events", "consumers")
	// A client of 5.x that is new tries one NameServer only, and fails if that
	// is the one that is gone; those of 4.x try all.
	o.producer = client(t, peers.V497, "Producer", o.both.addr, "events", "steady-")
	awaitSends(t, o.producer, 10)
	o.same("the start")
	return o
}

func (o *outage) startBroker(version string, props ...string) *peers.Process {
	o.t.Helper()
	return startBroker(o.t, version, "broker-"+version, o.both.addr+";"+o.java.addr, append(props, "registerNameServerPeriod=10000")...)
}

// route is one with the brokers of those releases.
func (o *outage) route(perm int, versions ...string) string {
	var parts []string
	for _, v := range versions {
		parts = append(parts, fmt.Sprintf("broker-%s of DefaultCluster at 0=%s: r8 w8 perm %d", v, o.brokers[v].Addr, perm))
	}
	return strings.Join(parts, "; ")
}

// send has a client that knows nothing yet send, and the steady one go on.
func (o *outage) send(when string) {
	o.t.Helper()
	o.sent++
	if got := sendFresh(o.t, o.producer, fmt.Sprint("fresh-", o.sent)); !strings.HasPrefix(got, "ok ") {
		o.errorf("%s: a new client: %s", when, got)
	}
	awaitSends(o.t, o.producer, 10)
}

// same waits until both shims say what the Java NameServer says, and the API
// with them.
func (o *outage) same(when string) {
	o.t.Helper()
	for _, topic := range []string{"events", "TBW102", "no-such-topic"} {
		await(o.t, soon+period, fmt.Sprintf("the route of %s after %s", topic, when), func() string {
			want := o.java.routeTo(topic)
			if got := o.both.routeTo(topic); got != want {
				return fmt.Sprintf("got %q, Java has %q", got, want)
			}
			if got := o.inCloud(topic); got != want {
				return fmt.Sprintf("the cloud has %q, Java %q", got, want)
			}
			return ""
		})
	}
}

// inCloud describes what the API says of a topic.
func (o *outage) inCloud(topic string) string {
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	r, err := o.cloud.As(stack.Reader).Do(ctx, "GET", "/v1/read/route?consistent=true&topic="+url.QueryEscape(topic), nil)
	switch {
	case err != nil:
		return err.Error()
	case r.Status == 404:
		return "no route"
	case r.Status != 200:
		return r.String()
	}
	return describe(topic, r.Body)
}

// announced is how often that kind of event was told so far.
func (o *outage) announced(kind string) (n int) {
	for _, e := range o.cloud.Bus.Took() {
		if e.DetailType == kind {
			n++
		}
	}
	return n
}

func (o *outage) aShimIsKilled() {
	for _, f := range o.both.fronts {
		f.kill9(o.t)
		o.send("one shim is gone")
		f.start(o.t)
		o.send("it is back")
	}
}

// theAPIFails in every way, each for longer than a beat and shorter than a
// lease. Nobody is announced as gone for it.
func (o *outage) theAPIFails() {
	before := o.announced("BrokerEvicted") + o.announced("BrokerUnregistered")
	for _, f := range []link.Fault{
		link.Cut, link.Hung, link.Lost, link.Half, link.Answer(429), link.Answer(500), link.Answer(503), link.Slow(3 * time.Second),
	} {
		o.cloud.Always(f)
		time.Sleep(1500 * time.Millisecond) // one beat fails at the least
		o.send("the API: " + f.String())
		o.cloud.Always(link.Pass)
	}
	o.same("the API's failing")
	if err := o.cloud.Tick(o.t.Context(), time.Now()); err != nil {
		o.t.Error(err)
	}
	if got := o.announced("BrokerEvicted") + o.announced("BrokerUnregistered"); got != before {
		o.errorf("%d brokers were announced as gone", got-before)
	}
}

// awayForLongerThanALease: the cloud has forgotten all, by a clock that moves
// on at once. The shims go on, and it is told everything when it is back.
func (o *outage) awayForLongerThanALease() {
	o.cloud.Always(link.Cut)
	o.cloud.DynamoDB.SetClock(func() time.Time { return time.Now().Add(core.DefaultTimeout + time.Minute) })
	await(o.t, soon, "the cloud to forget", func() string {
		if got := o.inCloud("events"); got != "no route" {
			return got
		}
		return ""
	})
	o.send("for the cloud all brokers are gone")
	if want := o.java.routeTo("events"); o.both.routeTo("events") != want {
		o.errorf("the shims say %q, Java %q", o.both.routeTo("events"), want)
	}
	o.cloud.Always(link.Pass)
	o.send("right after")
}

// theTableIsEmpty as after a restart of what holds it in memory. The functions
// begin anew too: they believe that a table does not go back.
func (o *outage) theTableIsEmpty() {
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	if err := o.cloud.DropTable(ctx); err != nil {
		o.t.Fatal(err)
	}
	o.send("there is no table")
	if err := o.cloud.NewTable(ctx); err != nil {
		o.t.Fatal(err)
	}
	for _, f := range o.cloud.Functions {
		f.Kill9()
	}
	o.send("the table is empty")
}

// killedWhileTheAPIIsAway: what the shims know is on their disks, and what they
// see is with their connections.
func (o *outage) killedWhileTheAPIIsAway() {
	want := o.both.routeTo("events")
	for _, f := range o.both.fronts {
		await(o.t, soon, f.name+" to have it all on its disk", func() string {
			for _, name := range []string{`pending{kind="add"}`, `pending{kind="drop"}`, "unwritten"} {
				if n := f.metric(o.t, "signpost_upstream_"+name); n != "0" {
					return name + " " + n
				}
			}
			age := f.metric(o.t, "signpost_upstream_oldest_answer_seconds")
			if seconds, err := strconv.ParseFloat(age, 64); err != nil || seconds > 2 {
				return "it is right as of " + age + " s ago"
			}
			return ""
		})
	}
	o.cloud.Always(link.Cut)
	o.both.kill9(o.t)
	o.both.start(o.t)
	if got := o.both.routeTo("events"); got != want {
		o.errorf("the first answer is %q, want %q", got, want)
	}
	o.send("from their disks")
	for _, f := range o.both.fronts {
		answer, err := askAt(f.addr, remoting.GetRouteInfoByTopic, nil, remoting.Field{Key: "topic", Value: "never-asked-for"})
		if err != nil || answer.Code != remoting.SystemError || answer.Remark == "" {
			o.errorf("an unknown topic: code %d %q, %v", answer.Code, answer.Remark, err)
		}
	}
	// Each broker has registered again when the Java NameServer and the shims
	// have its connections: one period.
	await(o.t, 3*period, "the brokers to be back", func() string {
		for _, f := range o.both.fronts {
			if n := f.metric(o.t, "signpost_upstream_held"); n != strconv.Itoa(len(versions)) {
				return fmt.Sprintf("%s holds %s of them", f.name, n)
			}
		}
		return ""
	})
	if err := o.brokers[peers.V497].Kill9(); err != nil {
		o.t.Fatal(err)
	}
	o.both.awaitRoute(o.t, soon, "events", o.route(6, peers.V480, peers.V533))
	o.send("a broker is gone")
	o.brokers[peers.V497] = o.startBroker(peers.V497, again(o.brokers[peers.V497])...)
	o.both.awaitRoute(o.t, brokerTimeout, "events", o.route(6, versions...))
	o.send("and back")
	o.cloud.Always(link.Pass)
}
