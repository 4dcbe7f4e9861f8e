package product

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"signpost/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTCP goes the whole way once: an address server and NameServers at ports
// of this machine, one of which is gone.
func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ns := newNameServer(route("orders"))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				ns.serve(c)
			})
		}
	})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()

	server := &addressServer{handler: say(gone.Addr().String() + ";" + l.Addr().String() + "\n")}
	web := httptest.NewServer(server)
	defer web.Close()
	c := New(Options{AddressServer: strings.TrimPrefix(web.URL, "http://"), EnvName: "center"})
	defer c.Close()
	for range 3 {
		r, err := c.Route(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		if text(r) != text(route("orders")) {
			t.Errorf("the route is %s, want %s", text(r), text(route("orders")))
		}
		if _, err := c.Route(t.Context(), "unknown"); !errors.Is(err, core.ErrNoTopic) {
			t.Errorf("got %v, want core.ErrNoTopic", err)
		}
	}
}
