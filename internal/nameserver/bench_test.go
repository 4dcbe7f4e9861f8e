package nameserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// feed is a connection whose peer sends the same batches of requests over and
// over, and throws the answers away: what is left is the server's own work.
type feed struct {
	net.Conn
	batches [][]byte
	rounds  int
	done    chan struct{}
}

func (f *feed) Read(p []byte) (int, error) {
	if f.rounds == 0 {
		close(f.done)
		return 0, io.EOF
	}
	f.rounds--
	return copy(p, f.batches[f.rounds%len(f.batches)]), nil
}
func (f *feed) Write(p []byte) (int, error)      { return len(p), nil }
func (f *feed) Close() error                     { return nil }
func (f *feed) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (f *feed) SetReadDeadline(time.Time) error  { return nil }
func (f *feed) SetWriteDeadline(time.Time) error { return nil }

// feeds is a listener of one connection.
type feeds chan net.Conn

func (l feeds) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (feeds) Close() error   { return nil }
func (feeds) Addr() net.Addr { return &net.TCPAddr{} }

func BenchmarkRoute(b *testing.B) {
	f := start(b, nil)
	c := f.dial()
	const topics, brokers, batch = 1000, 4, 8
	for i := range brokers {
		names := make([]string, topics)
		for t := range names {
			names[t] = fmt.Sprintf("some-topic-of-usual-length-%04d", t)
		}
		c.mustRegister(registration(fmt.Sprintf("broker-%d", i), fmt.Sprintf("10.0.0.%d:10911", i), 0, names...))
	}
	batches := make([][]byte, topics/batch)
	for i := range topics {
		topic := fmt.Sprintf("some-topic-of-usual-length-%04d", i*389%topics)
		cmd := routeOf(topic)
		if _, err := f.registry.Route(context.Background(), time.Now(), topic); err != nil {
			b.Fatal(err)
		}
		batches[i/batch] = remoting.AppendFrame(batches[i/batch], &cmd)
	}
	l := make(feeds)
	go f.server.Serve(l)
	defer close(l)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	conn := &feed{batches: batches, rounds: b.N/batch + 1, done: make(chan struct{})}
	l <- conn
	<-conn.done
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what this process has used, which other programs disturb less
// than the clock.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
