//go:build e2e

package brokers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"signpost/internal/remoting"
)

// tap is a connection to the NameServer that can be listened to, and cut.
type tap struct {
	addr string // one for each process of the NameServer, with ";" between them

	mu       sync.Mutex
	requests []tapped
	tls      int // connections that began with a TLS handshake
	conns    []net.Conn
	cut      chan struct{} // closed when nothing may pass any more
	closed   bool
}

// tapped is a request that passed.
type tapped struct {
	code remoting.Code
	ext  remoting.Fields
	body []byte
}

// startTap starts a tap to the NameServer. It accepts connections while the
// NameServer is down, as little as that helps who connects.
func startTap(t *testing.T, n *nameServer) *tap {
	t.Helper()
	p := &tap{cut: make(chan struct{})}
	var wg sync.WaitGroup
	var ends []net.Listener
	for _, to := range n.addrs() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, l)
		p.addr = strings.TrimPrefix(p.addr+";"+l.Addr().String(), ";")
		wg.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				wg.Go(func() { p.pass(conn, to) })
			}
		})
	}
	t.Cleanup(func() {
		for _, l := range ends {
			l.Close()
		}
		p.close()
		wg.Wait()
		showIfFailed(t, "tap", p.String)
	})
	return p
}

// pass carries one connection until either side ends it.
func (p *tap) pass(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	if !p.keep(in, out) {
		return
	}
	heard, tell := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { p.listen(heard) })
	wg.Go(func() {
		defer in.Close()
		_, _ = io.Copy(p.gate(in), out)
	})
	_, _ = io.Copy(io.MultiWriter(p.gate(out), tell), in)
	out.Close()
	tell.Close()
	wg.Wait()
}

// gate is w until the tap is cut. Then what is written to it vanishes.
func (p *tap) gate(w io.Writer) io.Writer { return gate{p.cut, w} }

type gate struct {
	cut chan struct{}
	w   io.Writer
}

// Write never fails once the tap is cut: the other side must not notice.
func (g gate) Write(b []byte) (int, error) {
	select {
	case <-g.cut:
		return len(b), nil
	default:
		return g.w.Write(b)
	}
}

// listen notes the requests in r.
func (p *tap) listen(r io.Reader) {
	defer func() { _, _ = io.Copy(io.Discard, r) }() // whatever it is, it shall pass
	buffered := bufio.NewReaderSize(r, remoting.ReaderBuffer)
	if first, err := buffered.Peek(1); err != nil {
		return
	} else if first[0] == 0x16 {
		p.mu.Lock()
		p.tls++
		p.mu.Unlock()
		return
	}
	frames := remoting.NewReader(buffered, func(remoting.Code) int { return remoting.MaxFrame })
	for {
		var c remoting.Command
		if err := frames.Next(&c); err != nil {
			return
		}
		p.mu.Lock()
		p.requests = append(p.requests, tapped{c.Code, c.ExtFields, c.Body})
		p.mu.Unlock()
	}
}

// keep notes the connections so that close finds them.
func (p *tap) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
	return !p.closed
}

func (p *tap) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
}

// count is how many requests of the code have passed.
func (p *tap) count(code remoting.Code) int { return len(p.all(code)) }

func (p *tap) all(code remoting.Code) []tapped {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.requests), func(r tapped) bool { return r.code != code })
}

func (p *tap) tlsConns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tls
}

// String lists what has passed.
func (p *tap) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, r := range p.requests {
		fmt.Fprintln(&b, r.code, r.ext, len(r.body))
	}
	return b.String()
}
