package shim_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

const (
	// askTimeout is how long clients and brokers wait for an answer.
	askTimeout = 3 * time.Second
	// registerTimeout is how long a broker waits for one to its registration
	// (Java: BrokerConfig.registerBrokerTimeoutMills).
	registerTimeout = 24 * time.Second
)

// front is a TCP front over some registry, the shim's or the NameServer's.
type front struct {
	name string
	log  *slog.Logger

	mu     sync.Mutex
	port   *port
	server *nameserver.Server
	served chan error
}

// serve lets the front answer from the registry.
func (f *front) serve(registry nameserver.Registry, change func(*nameserver.Options)) {
	o := nameserver.Options{
		Registry: registry,
		Config:   noConfig{},
		Switches: func() *nameserver.Switches {
			return &nameserver.Switches{TopicList: true, AllTopicList: true, OrderToBroker: true, NotifyMinBroker: true}
		},
		Limits: nameserver.Limits{
			Frame: remoting.DefaultFrameLimit, Registration: remoting.MaxFrame, Inflated: 64 << 20, Topics: 100_000, Connections: 5000, InFlight: 64,
			Idle: 2 * time.Minute, Read: time.Minute, Write: time.Minute, Handler: 30 * time.Second, BrokerTimeout: core.DefaultTimeout,
			NotifyTimeout: time.Second,
		},
		Log:      f.log,
		Observer: noObserver{},
		Now:      time.Now,
		Secure:   func(c net.Conn) (net.Conn, error) { return c, nil },
	}
	if change != nil {
		change(&o)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.port, f.server, f.served = newPort(f.name), nameserver.New(o), make(chan error, 1)
	go func(s *nameserver.Server, p *port, served chan error) { served <- s.Serve(p) }(f.server, f.port, f.served)
}

// shut ends the front in order. A crash is one that nobody else hears of.
func (f *front) shut(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	port, server, served := f.port, f.server, f.served
	f.mu.Unlock()
	port.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	server.Shutdown(ctx, 0)
	if err := <-served; err != nil {
		t.Errorf("%s: serve: %v", f.name, err)
	}
}

func (f *front) dial(ctx context.Context) (net.Conn, error) {
	f.mu.Lock()
	p := f.port
	f.mu.Unlock()
	return p.dial(ctx)
}

// ask sends one request on a connection of its own.
func (f *front) ask(code remoting.Code, body []byte, keysAndValues ...string) (remoting.Command, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	c, err := f.dial(ctx)
	if err != nil {
		return remoting.Command{}, err
	}
	defer c.Close()
	return roundTrip(c, askTimeout, remoting.Command{Code: code, ExtFields: fields(keysAndValues...), Body: body})
}

// roundTrip sends a request and reads the next frame.
func roundTrip(c net.Conn, within time.Duration, cmd remoting.Command) (answer remoting.Command, err error) {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return answer, err
	}
	cmd.Opaque, cmd.Language, cmd.Version = 7, "JAVA", remoting.V5_3_3
	if _, err := c.Write(remoting.AppendFrame(nil, &cmd)); err != nil {
		return answer, err
	}
	err = remoting.NewReader(c, func(remoting.Code) int { return remoting.MaxFrame }).Next(&answer)
	return answer, err
}

// question is a request as text: its answer is compared with another's.
type question struct {
	code remoting.Code
	ext  []string
}

func (q question) String() string { return fmt.Sprint(q.code, q.ext) }

func routeOf(topic string) question {
	return question{remoting.GetRouteInfoByTopic, []string{"topic", topic}}
}

func membersOf(broker string) question {
	return question{remoting.GetBrokerMemberGroup, []string{"clusterName", "c", "brokerName", broker}}
}

// say is the answer to a question in one line.
func (f *front) say(q question) string {
	a, err := f.ask(q.code, nil, q.ext...)
	switch {
	case err != nil:
		return "no answer: " + err.Error()
	case a.Code != remoting.Success:
		return fmt.Sprintf("code %d: %s", a.Code, a.Remark)
	}
	return string(a.Body)
}

func fields(keysAndValues ...string) (f remoting.Fields) {
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		f = append(f, remoting.Field{Key: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return f
}

type noConfig struct{}

func (noConfig) List() string        { return "" }
func (noConfig) Update([]byte) error { return errors.New("not here") }

type noObserver struct{}

func (noObserver) Requests(_, _ remoting.Code, _ int, _ time.Duration) {}
func (noObserver) ConnectionOpened()                                   {}
func (noObserver) ConnectionClosed()                                   {}
func (noObserver) Refused(string)                                      {}
