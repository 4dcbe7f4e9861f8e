package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/daemon/daemontest"
	"signpost/internal/remoting"
)

// degraded says whether /readyz says so.
func degraded(p *daemontest.Program) bool {
	code, body := p.Get("/readyz")
	return code == 200 && strings.HasPrefix(body, "ready, degraded: ")
}

func connected(p *daemontest.Program) bool {
	code, body := p.Get("/readyz")
	return code == 200 && body == "ready\n"
}

// wantTrouble wants SYSTEM_ERROR with the reason.
func wantTrouble(t *testing.T, p *daemontest.Program, cmd remoting.Command) {
	t.Helper()
	got := p.Call(nil, cmd)
	if got.Code != remoting.SystemError || !strings.HasPrefix(got.Remark, "the NameServer has no answer from its API: ") {
		t.Errorf("%v is answered %v %q", cmd.Code, got.Code, got.Remark)
	}
}

func TestARestartWhileTheAPIIsDown(t *testing.T) {
	c := newCloud(t, core.Rules{OrderMessages: true})
	dir := t.TempDir()
	first := c.launch(t, dir)
	broker := first.Dial()
	defer broker.Close()
	first.Call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2"))
	first.Call(nil, remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", core.OrderNamespace, "key", "t1", "value", "b1:4")})
	want := first.Call(nil, routeOf("t1"))
	if want.Code != remoting.Success {
		t.Fatalf("route: %v %s", want.Code, want.Remark)
	}
	c.down.Store(true)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second := c.launch(t, dir)
	if got := second.Call(nil, routeOf("t1")); got.Code != remoting.Success || !bytes.Equal(got.Body, want.Body) {
		t.Errorf("the first answer after the restart: %v %s %s, before %s", got.Code, got.Remark, got.Body, want.Body)
	}
	eventually(t, second, "degraded", func() bool { return degraded(second) })
	wantTrouble(t, second, routeOf("another"))
	wantTrouble(t, second, remoting.Command{Code: remoting.GetUnitTopicList})
	if got := second.Call(nil, remoting.Command{Code: remoting.GetBrokerClusterInfo}); got.Code != remoting.Success || !bytes.Contains(got.Body, []byte("10.0.0.1:10911")) {
		t.Errorf("the brokers of the kept routes: %v %s %s", got.Code, got.Remark, got.Body)
	}
	wantTrouble(t, second, remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", "n", "key", "k", "value", "v")})
	if _, body := second.Get("/metrics"); !strings.Contains(body, "signpost_upstream_connected 0\n") || !strings.Contains(body, "signpost_ready 1\n") {
		t.Errorf("/metrics:\n%s", body)
	}
	c.down.Store(false)
	eventually(t, second, "connected", func() bool { return connected(second) })
	if got := answer(second, "another"); got != remoting.TopicNotExist {
		t.Errorf("an unknown topic is answered %v", got)
	}
	if _, body := second.Get("/metrics"); !strings.Contains(body, "signpost_upstream_connected 1\n") {
		t.Errorf("/metrics:\n%s", body)
	}
}

func TestAShimThatKnowsNothingIsNotReady(t *testing.T) {
	slave := registration("b1", "10.0.0.2:10911", "t1", "t2")
	slave.ExtFields = slices.Clone(slave.ExtFields)
	for i, f := range slave.ExtFields {
		if f.Key == "brokerId" {
			slave.ExtFields[i].Value = "1"
		}
	}
	c := newCloud(t, core.Rules{})
	c.down.Store(true)
	p := c.launch(t, t.TempDir())
	if code, body := p.Get("/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	eventually(t, p, "the reason", func() bool {
		code, body := p.Get("/readyz")
		return code == 503 && strings.HasPrefix(body, "nothing is known, and the API cannot be asked: ")
	})
	wantTrouble(t, p, routeOf("t1"))
	wantTrouble(t, p, remoting.Command{Code: remoting.GetAllTopicListFromNameServer})

	// But it takes brokers in, and shows them.
	broker := p.Dial()
	defer broker.Close()
	for range 2 {
		if got := p.Call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2")); got.Code != remoting.Success || len(got.Body) != 0 {
			t.Errorf("a broker is answered %v %q %q", got.Code, got.Remark, got.Body)
		}
	}
	if got := p.Call(broker, slave); got.Code != remoting.Success || !strings.Contains(fmt.Sprint(got.ExtFields), "10.0.0.1:10911") {
		t.Errorf("its slave is answered %v %q %v", got.Code, got.Remark, got.ExtFields)
	}
	if got := answer(p, "t1"); got != remoting.Success {
		t.Errorf("its topic: %v", got)
	}
	c.down.Store(false)
	eventually(t, p, "ready", func() bool { return connected(p) })
}

func TestAnOutage(t *testing.T) {
	c := newCloud(t, core.Rules{})
	p := c.launch(t, t.TempDir())
	stays, leaves := p.Dial(), p.Dial()
	defer stays.Close()
	p.Call(stays, registration("stays", "10.0.0.1:10911", "both", "t1"))
	p.Call(leaves, registration("leaves", "10.0.0.2:10911", "both", "t2"))
	clusters := func() string { return string(p.Call(nil, remoting.Command{Code: remoting.GetBrokerClusterInfo}).Body) }
	topics := func() string {
		return string(p.Call(nil, remoting.Command{Code: remoting.GetAllTopicListFromNameServer}).Body)
	}
	route := func(topic string) string { return string(p.Call(nil, routeOf(topic)).Body) }
	for _, topic := range []string{"both", "t1", "t2"} {
		if got := answer(p, topic); got != remoting.Success {
			t.Fatalf("%s: %v", topic, got)
		}
	}
	before := clusters() + topics()
	if !strings.Contains(before, "leaves") || !strings.Contains(before, "t2") {
		t.Fatalf("lists: %s", before)
	}
	eventually(t, p, "connected", func() bool { return connected(p) })

	c.down.Store(true)
	eventually(t, p, "degraded", func() bool { return degraded(p) })
	if got := p.Call(stays, registration("stays", "10.0.0.1:10911", "both", "t1")); got.Code != remoting.Success {
		t.Errorf("a heartbeat: %v %s", got.Code, got.Remark)
	}
	comes := p.Dial()
	defer comes.Close()
	if got := p.Call(comes, registration("comes", "10.0.0.3:10911", "both", "t3")); got.Code != remoting.Success {
		t.Errorf("a new broker: %v %s", got.Code, got.Remark)
	}
	leaves.Close()
	eventually(t, p, "who left out of the route, who came in it", func() bool {
		got := route("both")
		return strings.Contains(got, `"stays"`) && strings.Contains(got, `"comes"`) && !strings.Contains(got, `"leaves"`)
	})
	if got := clusters(); !strings.Contains(got, `"comes"`) || strings.Contains(got, `"leaves"`) {
		t.Errorf("clusters: %s", got)
	}
	if got := topics(); !strings.Contains(got, `"t3"`) {
		t.Errorf("topics: %s", got)
	}
	wantTrouble(t, p, routeOf("unknown"))
	if _, body := p.Get("/metrics"); !strings.Contains(body, `signpost_upstream_pending{kind="add"} 1`) || !strings.Contains(body, `signpost_upstream_pending{kind="drop"} 1`) {
		t.Errorf("/metrics:\n%s", body)
	}

	c.down.Store(false)
	eventually(t, p, "all of it in the API", func() bool {
		groups, err := c.registry.Groups(t.Context(), time.Now())
		var names []string
		for _, g := range groups {
			names = append(names, g.Name)
		}
		return err == nil && slices.Equal(names, []string{"comes", "stays"})
	})
	eventually(t, p, "connected", func() bool { return connected(p) })
	eventually(t, p, "nothing pending", func() bool {
		_, body := p.Get("/metrics")
		return strings.Contains(body, `signpost_upstream_pending{kind="drop"} 0`)
	})
	if got := answer(p, "t3"); got != remoting.Success {
		t.Errorf("t3 after it: %v", got)
	}
	if got := answer(p, "t2"); got != remoting.TopicNotExist {
		t.Errorf("t2 after it: %v", got)
	}
}

// TestABrokerThatRegistersWhileTheShimDrains: clients are told to go while
// everything is still answered, and what brokers say is still passed on.
func TestABrokerThatRegistersWhileTheShimDrains(t *testing.T) {
	c := newCloud(t, core.Rules{})
	p := c.launch(t, t.TempDir(), "--enableShutdownGracefully", "true", "--shutdownWaitTimeSeconds", "3")
	eventually(t, p, "connected", func() bool { return connected(p) })
	broker := p.Dial()
	defer broker.Close()
	old := registration("b1", "10.0.0.1:10911", "t1", "t2")
	old.Version = remoting.V4_9_7
	if got := p.Call(broker, old); got.Code != remoting.Success {
		t.Fatalf("before: %v %s", got.Code, got.Remark)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop() }()
	eventually(t, p, "draining", func() bool { code, _ := p.Get("/readyz"); return code == 503 })
	next := registration("b2", "10.0.0.2:10911", "t3", "t4")
	next.Version = remoting.V4_9_7
	if got := p.Call(broker, next); got.Code != remoting.Success {
		t.Errorf("while it drains: %v %s", got.Code, got.Remark)
	}
	if _, err := c.registry.Group(t.Context(), time.Now(), "b2"); err != nil {
		t.Errorf("the API has not heard of it: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
