// Package daemontest runs the programs made of package daemon inside of tests.
package daemontest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// Patience is how long anything may take that is waited for.
const Patience = 20 * time.Second

// Output is a buffer that one goroutine writes and another reads.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Run is a program without its process.
type Run func(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error

// Program is a program that runs in this process, with ports of its own.
type Program struct {
	Stdout, Stderr Output
	Addr, Web      string       // of TCP, and the URL of HTTP
	Stop           func() error // ends it, and returns what it ended with

	t *testing.T
}

var (
	bootLine = regexp.MustCompile(`The Name Server boot success\. serializeType=JSON, address (\S+)`)
	webLine  = regexp.MustCompile(`httpAddr=(\S+)`)
)

// Launch starts a program and waits until it serves.
func Launch(t *testing.T, run Run, args ...string) *Program {
	t.Helper()
	p, err := Start(t, run, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Start is Launch for goroutines other than the test's.
func Start(t *testing.T, run Run, args ...string) (*Program, error) {
	p := &Program{t: t}
	args = append([]string{"--listenPort", "0", "--bindAddress", "127.0.0.1", "--httpAddr", "127.0.0.1:0"}, args...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, nil, &p.Stdout, &p.Stderr) }()
	p.Stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(Patience):
			return fmt.Errorf("it does not stop; log:\n%s", p.Stderr.String())
		}
	})
	t.Cleanup(func() { p.Stop() })
	for deadline := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		boot, web := bootLine.FindStringSubmatch(p.Stdout.String()), webLine.FindStringSubmatch(p.Stderr.String())
		if boot != nil && web != nil {
			p.Addr, p.Web = boot[1], "http://"+web[1]
			return p, nil
		}
		select {
		case err := <-ended:
			ended <- err
			return nil, fmt.Errorf("it ended: %w\n%s", err, p.Stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("it does not start; log:\n%s", p.Stderr.String())
		}
	}
}

// Call sends one request, on a connection of its own unless c is given.
func (p *Program) Call(c net.Conn, cmd remoting.Command) remoting.Command {
	p.t.Helper()
	if c == nil {
		c = p.Dial()
		defer c.Close()
	}
	c.SetDeadline(time.Now().Add(Patience))
	cmd.Opaque = 7
	if _, err := c.Write(remoting.AppendFrame(nil, &cmd)); err != nil {
		p.t.Fatal(err)
	}
	var got remoting.Command
	if err := remoting.NewReader(c, nil).Next(&got); err != nil {
		p.t.Fatal(err)
	}
	return got
}

// Dial connects over TCP.
func (p *Program) Dial() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// Get gets a page over HTTP.
func (p *Program) Get(path string) (status int, body string) {
	p.t.Helper()
	client := http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(p.Web + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// Fields are the fields of a request, from names and values in turn.
func Fields(pairs ...string) remoting.Fields {
	var f remoting.Fields
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, remoting.Field{Key: pairs[i], Value: pairs[i+1]})
	}
	return f
}

// Registration is a 5.x master's of cluster c, with these topics.
func Registration(broker, addr string, topics ...string) remoting.Command {
	var content core.Content
	for _, name := range topics {
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	return remoting.Command{
		Code: remoting.RegisterBroker, Version: remoting.V5_3_3,
		ExtFields: Fields("brokerName", broker, "brokerAddr", addr, "clusterName", "c", "brokerId", "0", "haServerAddr", addr),
		Body:      wire.AppendRegistration(nil, content, wire.JSON5),
	}
}

// RouteOf asks for a route.
func RouteOf(topic string) remoting.Command {
	return remoting.Command{Code: remoting.GetRouteInfoByTopic, Version: remoting.V5_3_3, ExtFields: Fields("topic", topic)}
}
