// Package canned is the ceiling of the measurement: a server that does only
// what no NameServer written in Go with package net can leave out. It reads
// frames, looks up code and opaque, and copies a prepared answer of the real
// size, reading and writing in batches.
package canned

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// bufferSize is the room for the input and, usually, for the output of one
// connection. Longer frames are skipped piece by piece.
const bufferSize = 64 << 10

var (
	codeMark   = []byte(`"code":`)
	opaqueMark = []byte(`"opaque":`)
	routeCode  = []byte("105")
)

// Server answers every route query with Route and all else without a body.
type Server struct {
	Route []byte
}

// Serve answers the connections that l accepts, until l is closed.
func (s *Server) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			defer conn.Close()
			_ = s.serve(conn) // whoever sends nonsense loses the connection
		}()
	}
}

// serve answers frames until conn ends. All that one read brought is answered
// with one write.
func (s *Server) serve(conn io.ReadWriter) error {
	in := make([]byte, bufferSize)
	out := make([]byte, 0, bufferSize)
	n := 0 // in[:n] is filled
	for {
		m, err := conn.Read(in[n:])
		if m == 0 && err != nil {
			return err
		}
		n += m
		done := 0
		for n-done >= 8 {
			b := in[done:n]
			frame := 4 + int(binary.BigEndian.Uint32(b))
			header := 8 + int(binary.BigEndian.Uint32(b[4:])&0xffffff)
			if frame < header || header > len(in) {
				return errors.New("a frame that is none")
			}
			if len(b) < header || len(b) < frame && frame <= len(in) {
				break
			}
			if out, err = s.answer(out, b[8:header]); err != nil {
				return err
			}
			if skip := frame - len(b); skip > 0 {
				if _, err := io.CopyN(io.Discard, conn, int64(skip)); err != nil {
					return err
				}
			}
			done += min(frame, len(b))
		}
		n = copy(in, in[done:n])
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
}

// answer appends the answer to the request with that header.
func (s *Server) answer(out, header []byte) ([]byte, error) {
	opaque := digits(header, opaqueMark)
	if opaque == nil {
		return nil, errors.New("a request without opaque")
	}
	var body []byte
	if bytes.Equal(digits(header, codeMark), routeCode) {
		body = s.Route
	}
	start := len(out)
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)
	out = append(out, `{"code":0,"flag":1,"language":"JAVA","opaque":`...)
	out = append(out, opaque...)
	out = append(out, `,"serializeTypeCurrentRPC":"JSON","version":479}`...)
	binary.BigEndian.PutUint32(out[start+4:], uint32(len(out)-start-8))
	binary.BigEndian.PutUint32(out[start:], uint32(len(out)-start-4+len(body)))
	return append(out, body...), nil
}

// digits returns the number behind the first mark in b.
func digits(b, mark []byte) []byte {
	i := bytes.Index(b, mark)
	if i < 0 {
		return nil
	}
	b = b[i+len(mark):]
	for i, c := range b {
		if c < '0' || c > '9' {
			return b[:i]
		}
	}
	return nil
}
