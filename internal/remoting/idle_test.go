//go:build unix

package remoting

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// connected returns both ends of a TCP connection.
func connected(t *testing.T) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, client
}

// A Reader that waits for a TCP connection has no buffer, and reads all that
// comes: before it waits, while it does, in parts, and at the end.
func TestWaitWithoutBuffer(t *testing.T) {
	server, client := connected(t)
	r := NewReader(server, nil)
	server.SetReadDeadline(time.Unix(1, 0))
	for range 2 {
		if err := r.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after the deadline: %v", err)
		}
		if r.br != nil || r.Buffered() != 0 || r.Ready() {
			t.Errorf("a buffer %v with %d bytes, ready %v", r.br, r.Buffered(), r.Ready())
		}
	}
	server.SetReadDeadline(time.Time{})

	frame := AppendFrame(nil, &Command{Code: GetRouteInfoByTopic, Body: repeat('b', 3*ReaderBuffer)})
	var cmd Command
	next := func() {
		t.Helper()
		if err := r.Next(&cmd); err != nil || cmd.Code != GetRouteInfoByTopic || len(cmd.Body) != 3*ReaderBuffer {
			t.Fatalf("%v, %d bytes, %v", cmd.Code, len(cmd.Body), err)
		}
	}
	send := func(b []byte) {
		if _, err := client.Write(b); err != nil {
			t.Error(err)
		}
	}
	send(frame)
	if err := r.Wait(); err != nil || r.Buffered() == 0 {
		t.Fatalf("%d bytes, %v", r.Buffered(), err)
	}
	next()

	go func() {
		send(frame[:3])
		time.Sleep(time.Millisecond)
		send(frame[3:])
		send(frame) // nobody waits for this one
		client.Close()
	}()
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	next()
	next()
	for range 2 {
		if err := r.Wait(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
	if err := r.Next(&cmd); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	server.Close()
	if err := r.Wait(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("when it is closed: %v", err)
	}
}

// A connection without a descriptor is waited for as any other Reader is.
func TestWaitWithoutDescriptor(t *testing.T) {
	server, client := net.Pipe()
	defer server.Close()
	r := NewReader(server, nil)
	frame := AppendFrame(nil, &Command{Code: GetRouteInfoByTopic})
	go func() {
		client.Write(frame)
		client.Close()
	}()
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	var cmd Command
	if err := r.Next(&cmd); err != nil || cmd.Code != GetRouteInfoByTopic {
		t.Fatalf("%v, %v", cmd.Code, err)
	}
	if err := r.Wait(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}
