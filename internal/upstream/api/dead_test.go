package api_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"signpost/internal/upstream/api"
)

// freezer is a listener whose connections can fall silent, as those do that a
// firewall has forgotten: nothing comes and nothing arrives, and nobody is told.
type freezer struct {
	net.Listener
	mu  sync.Mutex
	all []*silent
}

type silent struct {
	net.Conn
	dead   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (f *freezer) Accept() (net.Conn, error) {
	inner, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &silent{Conn: inner, closed: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, c)
	return c, nil
}

// freeze makes the connections that are there fall silent.
func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.all {
		c.dead.Store(true)
	}
}

func (c *silent) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.dead.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *silent) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *silent) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestDeadConnectionIsLeft: an attempt that was not answered in time does not
// leave the next one on the same connection, and there are three before HTTP/2's
// pings find out.
func TestDeadConnectionIsLeft(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(good))
	link := &freezer{Listener: server.Listener}
	server.Listener, server.EnableHTTP2 = link, true
	server.StartTLS()
	defer server.Close()
	transport := api.NewTransport()
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	client := newClient(t, api.Options{Endpoint: server.URL, Transport: transport})
	for range 2 {
		if _, err := client.BeatSession(t.Context(), "s-1", 0); err != nil {
			t.Fatal(err)
		}
		link.freeze()
	}
}
