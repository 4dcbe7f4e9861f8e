package nameserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

func TestAnswersComeBackForManyRequestsInFlight(t *testing.T) {
	f := start(t, nil)
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	want := map[int32]remoting.Code{}
	var all []remoting.Command
	for i := range 300 {
		var cmd remoting.Command
		switch i % 3 {
		case 0:
			cmd = routeOf("t1")
			want[cmd.Opaque] = remoting.Success
		case 1:
			cmd = routeOf("absent")
			want[cmd.Opaque] = remoting.TopicNotExist
		default: // answered beside the loop
			cmd = request(remoting.GetBrokerClusterInfo)
			want[cmd.Opaque] = remoting.Success
		}
		if i%2 == 0 {
			cmd.Encoding = remoting.EncodingBinary
		}
		all = append(all, cmd)
	}
	c.send(all...)
	for range all {
		got := c.receive()
		code, ok := want[got.Opaque]
		if !ok {
			t.Fatalf("answer to nothing, or a second one: %d", got.Opaque)
		}
		if got.Code != code {
			t.Errorf("request %d: code %d, want %d", got.Opaque, got.Code, code)
		}
		if even := got.Opaque%2 == all[0].Opaque%2; even != (got.Encoding == remoting.EncodingBinary) {
			t.Errorf("request %d is answered in %v", got.Opaque, got.Encoding)
		}
		delete(want, got.Opaque)
	}
}

func TestOnewayIsDoneAndNeverAnswered(t *testing.T) {
	f := start(t, nil)
	c := f.dial()
	reg := registration("b1", "10.0.0.1:10911", 0, "t1")
	reg.Flag = remoting.FlagOneway
	unknown := request(9999)
	unknown.Flag = remoting.FlagOneway
	bad := registration("b2", "10.0.0.2:10911", 0)
	bad.Body, bad.Flag = []byte("{"), remoting.FlagOneway
	c.send(reg, unknown, bad)
	eventually(t, "the broker is routed", func() bool { return f.routed("t1") })
	probe := request(remoting.GetNameServerConfig)
	if got := c.call(probe); got.Opaque != probe.Opaque { // the first frame to come back
		t.Errorf("a oneway request was answered: %v", got)
	}
}

func TestAResponseSentHereIsIgnored(t *testing.T) {
	f := start(t, nil)
	c := f.dial()
	cmd := request(remoting.GetNameServerConfig)
	cmd.Flag = remoting.FlagResponse
	probe := request(remoting.GetNameServerConfig)
	c.send(cmd, probe)
	if got := c.receive(); got.Opaque != probe.Opaque {
		t.Errorf("a response was answered")
	}
}

func TestUnknownCodeIsCode3(t *testing.T) {
	got := start(t, nil).dial().call(request(4711))
	if got.Code != remoting.RequestCodeNotSupported || got.Remark != " request type 4711 not supported" {
		t.Errorf("got %d %q", got.Code, got.Remark)
	}
}

func TestABrokenFrameLosesOnlyItsConnection(t *testing.T) {
	f := start(t, nil)
	good := f.dial()
	good.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	for name, frame := range map[string]string{
		"length negative":         "\xff\xff\xff\xff",
		"length 3":                "\x00\x00\x00\x03abc",
		"too long":                "\x7f\xff\xff\xff",
		"longer than its code":    "\x02\x00\x00\x00\x00\x00\x00\x0c{\"code\":105}",
		"unknown encoding":        "\x00\x00\x00\x06\x07\x00\x00\x02{}",
		"header beyond frame":     "\x00\x00\x00\x06\x00\x00\x00\x63{}",
		"no JSON":                 "\x00\x00\x00\x07\x00\x00\x00\x03abc",
		"JSON null":               "\x00\x00\x00\x08\x00\x00\x00\x04null",
		"empty header":            "\x00\x00\x00\x04\x00\x00\x00\x00",
		"binary header cut":       "\x00\x00\x00\x05\x01\x00\x00\x01\x00",
		"HTTP":                    "GET / HTTP/1.1\r\n\r\n",
		"garbage":                 "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34",
		"TLS where there is none": "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1",
	} {
		bad := f.dial()
		if _, err := io.WriteString(bad.c, frame); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { bad.t = t; bad.closed() })
	}
	if got := good.call(routeOf("t1")); got.Code != remoting.Success {
		t.Errorf("another connection suffered: %d", got.Code)
	}
	eventually(t, "broken frames are counted", func() bool { return f.observer.refusals("broken frame") == 13 })
}

func TestAClosedConnectionTakesAllItRegistered(t *testing.T) {
	f := start(t, nil)
	c, other := f.dial(), f.dial()
	for i := range 3 {
		c.mustRegister(registration(fmt.Sprint("b", i), fmt.Sprintf("10.0.0.%d:10911", i), 0, fmt.Sprint("t", i)))
	}
	other.mustRegister(registration("b9", "10.0.0.9:10911", 0, "t9"))
	c.c.Close()
	for i := range 3 {
		eventually(t, "the broker is gone", func() bool { return !f.routed(fmt.Sprint("t", i)) })
	}
	if !f.routed("t9") {
		t.Error("another connection's broker went with it")
	}
}

func TestABrokerThatReconnectedStaysWhenItsOldConnectionCloses(t *testing.T) {
	f := start(t, nil)
	first, second := f.dial(), f.dial()
	first.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	first.mustRegister(registration("b2", "10.0.0.2:10911", 0, "t2"))
	second.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	first.c.Close()
	eventually(t, "what it still owned is gone", func() bool { return !f.routed("t2") })
	if !f.routed("t1") {
		t.Error("the broker went with its old connection")
	}
}

func TestShutdownAnswersWhatIsInFlightAndDropsNoBroker(t *testing.T) {
	f := start(t, nil)
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	f.stop()
	c.closed()
	if _, err := f.registry.Route(context.Background(), time.Now(), "t1"); err != nil {
		t.Errorf("a broker was dropped because the server stopped: %v", err)
	}
}

func TestDrainingTellsNewClientsToGoAway(t *testing.T) {
	f := start(t, nil)
	f.switches.Store(&nameserver.Switches{GoAway: true})
	newer, older := f.dial(), f.dial()
	newer.call(request(remoting.GetNameServerConfig))
	older.call(request(remoting.GetNameServerConfig))
	drained := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { f.server.Shutdown(ctx, patience); close(drained) }()
	eventually(t, "it drains", f.server.Draining)
	if got := newer.call(request(remoting.GetNameServerConfig)); got.Code != remoting.GoAway || got.Remark != "please go away" {
		t.Errorf("a 5.3.3 client got %d %q", got.Code, got.Remark)
	}
	old := request(remoting.GetNameServerConfig)
	old.Version = remoting.V5_3_1
	if got := older.call(old); got.Code != remoting.Success {
		t.Errorf("an older client got %d", got.Code)
	}
	cancel()
	<-drained
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	f := start(t, func(o *nameserver.Options) { o.Limits.Connections = 2 })
	a, b := f.dial(), f.dial()
	a.call(request(remoting.GetNameServerConfig))
	b.call(request(remoting.GetNameServerConfig))
	f.dial().closed()
	if f.observer.refusals("connections") != 1 {
		t.Error("not counted")
	}
	a.c.Close()
	eventually(t, "there is room again", func() bool {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		cmd := request(remoting.GetNameServerConfig)
		c.Write(remoting.AppendFrame(nil, &cmd))
		return remoting.NewReader(c, nil).Next(&cmd) == nil
	})
}

func TestAFrameThatDoesNotArriveInTimeEndsTheConnection(t *testing.T) {
	f := start(t, func(o *nameserver.Options) { o.Limits.Read = 20 * time.Millisecond })
	c := f.dial()
	c.c.Write([]byte{0, 0, 0, 50, 0, 0})
	c.closed()
}

func TestAnIdleConnectionEndsAndTakesItsBroker(t *testing.T) {
	f := start(t, func(o *nameserver.Options) { o.Limits.Idle = 50 * time.Millisecond })
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	c.closed()
	eventually(t, "its broker is gone", func() bool { return !f.routed("t1") })
}

func TestAPeerThatTakesNoAnswersIsCutOff(t *testing.T) {
	f := start(t, func(o *nameserver.Options) { o.Limits.Write = 50 * time.Millisecond })
	c := f.dial()
	names := make([]string, 2000)
	for i := range names {
		names[i] = fmt.Sprintf("topic-with-a-long-name-%04d", i)
	}
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, names...))
	flood := remoting.AppendFrame(nil, &remoting.Command{Code: remoting.GetAllTopicListFromNameServer, Version: remoting.V5_3_3})
	slow := f.dial()
	for range 4000 { // some 200 MB of answers, which nobody reads
		if _, err := slow.c.Write(flood); err != nil {
			break
		}
	}
	eventually(t, "it is cut off", func() bool { return f.observer.refusals("slow reader") > 0 })
	if got := f.dial().call(routeOf(names[0])); got.Code != remoting.Success {
		t.Errorf("another connection suffered: %d", got.Code)
	}
}

// stuckRegistry never answers some calls before their deadline.
type stuckRegistry struct {
	nameserver.Registry
	entered chan struct{}
	release chan struct{}
}

func (s *stuckRegistry) WipeWrite(ctx context.Context, now time.Time, broker string) (int, core.Revision, error) {
	switch broker {
	case "panic":
		panic("a bug")
	case "stuck":
		s.entered <- struct{}{}
		select {
		case <-s.release:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	return 7, 0, nil
}

func TestRequestsInFlightAreBoundedAndAnsweredOutOfOrder(t *testing.T) {
	stuck := &stuckRegistry{entered: make(chan struct{}), release: make(chan struct{})}
	f := start(t, func(o *nameserver.Options) {
		stuck.Registry = o.Registry
		o.Registry = stuck
		o.Limits.InFlight = 2
	})
	c := f.dial()
	for range 2 {
		c.send(request(remoting.WipeWritePermOfBroker, "brokerName", "stuck"))
		<-stuck.entered
	}
	quick := routeOf("absent")
	if got := c.call(quick); got.Opaque != quick.Opaque { // overtakes
		t.Fatal("not out of order")
	}
	third := request(remoting.WipeWritePermOfBroker, "brokerName", "b")
	c.send(third)
	close(stuck.release)
	for range 3 {
		if got := c.receive(); got.Code != remoting.Success {
			t.Errorf("code %d %s", got.Code, got.Remark)
		}
	}
}

func TestAHandlerIsBoundInTimeAndSurvivesItsPanic(t *testing.T) {
	stuck := &stuckRegistry{entered: make(chan struct{}, 1), release: make(chan struct{})}
	f := start(t, func(o *nameserver.Options) {
		stuck.Registry = o.Registry
		o.Registry = stuck
		o.Limits.Handler = 20 * time.Millisecond
	})
	c := f.dial()
	for _, broker := range []string{"stuck", "panic"} {
		got := c.call(request(remoting.WipeWritePermOfBroker, "brokerName", broker))
		if got.Code != remoting.SystemError || got.Remark == "" {
			t.Errorf("%s: %d %q", broker, got.Code, got.Remark)
		}
	}
	if got := c.call(request(remoting.WipeWritePermOfBroker, "brokerName", "b")); got.Code != remoting.Success {
		t.Errorf("the connection did not survive: %d", got.Code)
	}
}

func TestTheLowestBrokerIDIsToldToTheOthers(t *testing.T) {
	f := start(t, nil)
	f.switches.Store(&nameserver.Switches{NotifyMinBroker: true})
	brokers := make([]net.Listener, 2)
	for i := range brokers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		brokers[i] = l
	}
	c := f.dial()
	slave := registration("b1", brokers[1].Addr().String(), 1)
	slave.ExtFields = append(slave.ExtFields, remoting.Field{Key: "enableActingMaster", Value: "true"})
	c.mustRegister(slave)
	master := registration("b1", brokers[0].Addr().String(), 0)
	master.ExtFields = append(master.ExtFields, remoting.Field{Key: "enableActingMaster", Value: "true"})
	c.mustRegister(master)

	told := func(l net.Listener) remoting.Command {
		t.Helper()
		l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		var cmd remoting.Command
		if err := remoting.NewReader(conn, nil).Next(&cmd); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	got := told(brokers[1])
	addr, _ := got.ExtFields.Get("minBrokerAddr")
	ha, _ := got.ExtFields.Get("haBrokerAddr")
	if got.Code != remoting.NotifyMinBrokerIDChange || !got.IsOneway() || addr != brokers[0].Addr().String() || ha != addr+"0" {
		t.Errorf("the slave was told %+v", got)
	}
	unregister := request(remoting.UnregisterBroker, "brokerName", "b1", "brokerAddr", brokers[0].Addr().String(), "clusterName", "c1", "brokerId", "0")
	if answer := c.call(unregister); answer.Code != remoting.Success {
		t.Fatal(answer.Code)
	}
	got = told(brokers[1])
	offline, _ := got.ExtFields.Get("offlineBrokerAddr")
	if id, _ := got.ExtFields.Get("minBrokerId"); id != "1" || offline != brokers[0].Addr().String() {
		t.Errorf("the slave was told %+v", got)
	}
}

func TestWaitForServiceHoldsBackRoutesOnly(t *testing.T) {
	f := start(t, nil)
	f.switches.Store(&nameserver.Switches{ServiceFrom: time.Now().Add(45 * time.Second), AllTopicList: true})
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	if got := c.call(routeOf("t1")); got.Code != remoting.SystemError || got.Remark != "name server not ready" {
		t.Errorf("route: %d %q", got.Code, got.Remark)
	}
	if got := c.call(request(remoting.GetAllTopicListFromNameServer)); got.Code != remoting.Success {
		t.Errorf("list: %d", got.Code)
	}
	f.clock.Store(int64(46 * time.Second))
	if got := c.call(routeOf("t1")); got.Code != remoting.Success {
		t.Errorf("route later: %d", got.Code)
	}
}

func TestExpiryIsExactOnRead(t *testing.T) {
	f := start(t, nil)
	c := f.dial()
	before := time.Now()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	after := time.Now()
	if got := c.call(routeOf("t1")); got.Code != remoting.Success { // and is cached
		t.Fatal(got.Code)
	}
	f.clock.Store(int64(core.DefaultTimeout - time.Since(before) - time.Second))
	if got := c.call(routeOf("t1")); got.Code != remoting.Success {
		t.Errorf("gone too early: %d", got.Code)
	}
	f.clock.Store(int64(core.DefaultTimeout - time.Since(after) + time.Second))
	if got := c.call(routeOf("t1")); got.Code != remoting.TopicNotExist {
		t.Errorf("shown after its time: %d", got.Code)
	}
}

func TestARegistrationThatWaitsLetsOthersIn(t *testing.T) {
	slow := &slowRegistry{entered: make(chan struct{}), release: make(chan struct{})}
	f := start(t, func(o *nameserver.Options) {
		slow.Registry = o.Registry
		o.Registry = slow
	})
	c := f.dial()
	const many = 6 // more than are worked on at a time, fewer than one connection may have in flight
	for range many {
		c.send(request(remoting.WipeWritePermOfBroker, "brokerName", "waits"))
		<-slow.entered // so the one before has let it in
	}
	close(slow.release)
	for range many {
		if got := c.receive(); got.Code != remoting.Success {
			t.Errorf("%d %s", got.Code, got.Remark)
		}
	}
}

func TestOthersAreToldToComeBackWhenNothingMoves(t *testing.T) {
	stuck := &stuckRegistry{entered: make(chan struct{}, 100), release: make(chan struct{})}
	f := start(t, func(o *nameserver.Options) {
		stuck.Registry = o.Registry
		o.Registry = stuck
		o.Limits.Handler = 200 * time.Millisecond
		o.Limits.InFlight = 100
	})
	c := f.dial()
	const many = 100 // none of which waits in a way that lets others in
	for range many {
		c.send(request(remoting.WipeWritePermOfBroker, "brokerName", "stuck"))
	}
	for range many {
		if got := c.receive(); got.Code != remoting.SystemError && got.Code != remoting.SystemBusy {
			t.Errorf("%d %s", got.Code, got.Remark)
		}
	}
	if f.observer.refusals("busy") == 0 {
		t.Error("nobody was told")
	}
	if got := c.call(request(remoting.WipeWritePermOfBroker, "brokerName", "b")); got.Code != remoting.Success {
		t.Errorf("it does not recover: %d", got.Code)
	}
}

// slowRegistry waits as a store waits for its disk.
type slowRegistry struct {
	nameserver.Registry
	entered, release chan struct{}
}

func (s *slowRegistry) WipeWrite(ctx context.Context, _ time.Time, _ string) (int, core.Revision, error) {
	defer core.Waiting(ctx)()
	s.entered <- struct{}{}
	<-s.release
	return 0, 0, nil
}
