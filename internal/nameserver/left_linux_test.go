package nameserver

import (
	"errors"
	"net"
	"testing"
	"time"

	"signpost/core"
)

// What a broker said on a connection that it has left for another one may be
// read after what it says there: it takes nothing back, and its goodbye does not
// take the broker.
func TestWhatIsReadFromAConnectionThatWasLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connect := func() (peer net.Conn, c *conn) {
		peer, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { peer.Close(); accepted.Close() })
		return peer, &conn{tcp: accepted}
	}
	s := &Server{owners: owners{by: map[brokerKey]*conn{}}}
	s.o.Now = time.Now
	reg := core.Registration{Cluster: "c", Broker: "b", Addr: "10.0.0.1:10911"}
	claim := func(c *conn) error { return s.claim(&request{conn: c}, &reg) }
	peer, first := connect()
	_, second := connect()
	if err := errors.Join(claim(first), claim(second), claim(first)); err != nil {
		t.Fatalf("both are open: %v", err)
	}
	peer.Close()
	for deadline := time.Now().Add(time.Minute); !hasLeft(first.tcp); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not seen that the first was left")
		}
	}
	if err := claim(first); err != nil {
		t.Errorf("left for none other: %v", err)
	}
	if err := claim(second); err != nil {
		t.Fatal(err)
	}
	if err := claim(first); !errors.Is(err, core.ErrStale) {
		t.Errorf("left for the second: %v", err)
	}
	if s.owners.release(keyOf(&reg), first); s.owners.by[keyOf(&reg)] != second {
		t.Error("the first has said goodbye for the second")
	}
	if got := s.owners.take(first); len(got) != 0 {
		t.Errorf("the first has taken %v with it", got)
	}
}
