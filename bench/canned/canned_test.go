package canned_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"signpost/bench/canned"
	"signpost/internal/remoting"
)

// pipe is a connection whose reads come from in and whose writes go to out.
type pipe struct {
	net.Conn
	in  io.Reader
	out chan<- []byte
}

func (p pipe) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p pipe) Write(b []byte) (int, error) { p.out <- bytes.Clone(b); return len(b), nil }
func (p pipe) Close() error                { close(p.out); return nil }

// once accepts one connection.
type once struct{ conns chan net.Conn }

func (l once) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, errors.New("closed")
}
func (once) Close() error   { return nil }
func (once) Addr() net.Addr { return nil }

// exchange returns what a server writes, piece by piece, when it reads in.
func exchange(route []byte, in io.Reader) [][]byte {
	out := make(chan []byte, 10_000)
	l := once{make(chan net.Conn, 1)}
	l.conns <- pipe{in: in, out: out}
	close(l.conns)
	s := canned.Server{Route: route}
	_ = s.Serve(l)
	var pieces [][]byte
	for b := range out {
		pieces = append(pieces, b)
	}
	return pieces
}

func TestServerAnswersWhateverTheReadsBring(t *testing.T) {
	route := []byte(`{"brokerDatas":[]}`)
	requests := []remoting.Command{
		{Code: remoting.GetRouteInfoByTopic, Opaque: 7, ExtFields: remoting.Fields{{Key: "topic", Value: "orders"}}},
		{Code: remoting.RegisterBroker, Opaque: 8, Body: make([]byte, 300<<10)},
		{Code: remoting.RegisterBroker, Opaque: 9, Body: make([]byte, 100)},
		{Code: remoting.GetRouteInfoByTopic, Opaque: 2147483647},
	}
	var in []byte
	for i := range requests {
		in = remoting.AppendFrame(in, &requests[i])
	}
	for name, r := range map[string]io.Reader{
		"all at once":     bytes.NewReader(in),
		"byte by byte":    iotest.OneByteReader(bytes.NewReader(in)),
		"data with error": iotest.DataErrReader(bytes.NewReader(append(in, 0))),
	} {
		t.Run(name, func(t *testing.T) {
			answers := remoting.NewReader(bytes.NewReader(bytes.Join(exchange(route, r), nil)), nil)
			for _, req := range requests {
				var a remoting.Command
				if err := answers.Next(&a); err != nil {
					t.Fatal(err)
				}
				want := []byte(nil)
				if req.Code == remoting.GetRouteInfoByTopic {
					want = route
				}
				if !a.IsResponse() || a.Code != 0 || a.Opaque != req.Opaque || !bytes.Equal(a.Body, want) {
					t.Errorf("answer to %d: %+v", req.Opaque, a)
				}
			}
			if err := answers.Next(new(remoting.Command)); err != io.EOF {
				t.Errorf("behind the last answer: %v", err)
			}
		})
	}
}

func TestServerAnswersABatchWithOneWrite(t *testing.T) {
	var in []byte
	for i := range 8 {
		in = remoting.AppendFrame(in, &remoting.Command{Code: remoting.GetRouteInfoByTopic, Opaque: int32(i)})
	}
	if pieces := exchange([]byte("route"), bytes.NewReader(in)); len(pieces) != 1 {
		t.Errorf("%d writes for one read", len(pieces))
	}
}

func TestServerEndsAConnectionOfNonsense(t *testing.T) {
	for _, in := range []string{"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\x00\x00\x00\x02{}", "\x00\x00\x00\x06\x00\x00\x00\x02{}"} {
		if pieces := exchange([]byte("route"), bytes.NewReader([]byte(in))); len(pieces) != 0 {
			t.Errorf("%q is answered with %q", in, pieces)
		}
	}
}
