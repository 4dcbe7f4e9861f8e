//go:build e2e

package parity

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

// startHere starts this NameServer in this process, with the operator's
// choices of a Java one beside it, and returns its address.
func startHere(t *testing.T, rules core.Rules) string {
	t.Helper()
	var ids atomic.Int64
	registry := core.New(memory.New(), core.Options{
		Rules: rules,
		NewID: func() string { return strconv.FormatInt(ids.Add(1), 10) },
	})
	server := nameserver.New(nameserver.Options{
		Registry: registry,
		Config:   noConfig{},
		Switches: func() *nameserver.Switches {
			return &nameserver.Switches{TopicList: true, AllTopicList: true, OrderToBroker: true}
		},
		Limits: nameserver.Limits{
			Frame: remoting.DefaultFrameLimit, Registration: remoting.MaxFrame, Inflated: 64 << 20, Topics: 1000, Connections: 1000, InFlight: 64,
			Idle: time.Minute, Read: patience, Write: patience, Handler: patience, BrokerTimeout: core.DefaultTimeout,
			NotifyTimeout: time.Second,
		},
		Log:      slog.New(slog.NewTextHandler(failOn{t}, &slog.HandlerOptions{Level: slog.LevelError})),
		Observer: noObserver{},
		Now:      time.Now,
		Secure:   func(c net.Conn) (net.Conn, error) { return c, nil },
		Local:    true,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		server.Shutdown(ctx, 0)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// failOn fails the test for every line of the log: only errors get there.
type failOn struct{ t *testing.T }

func (f failOn) Write(line []byte) (int, error) {
	f.t.Errorf("the server logged: %s", line)
	return len(line), nil
}

var _ io.Writer = failOn{}

type noConfig struct{}

func (noConfig) List() string        { return "" }
func (noConfig) Update([]byte) error { return errors.New("not here") }

type noObserver struct{}

func (noObserver) Requests(_, _ remoting.Code, _ int, _ time.Duration) {}
func (noObserver) ConnectionOpened()                                   {}
func (noObserver) ConnectionClosed()                                   {}
func (noObserver) Refused(string)                                      {}
