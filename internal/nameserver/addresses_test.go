package nameserver_test

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"signpost/internal/advertise"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
	"signpost/internal/tlsport"
)

// addressMap shows 10.0.0.x to who is outside as 203.0.113.x.
const addressMap = "[198.51.100.0/24]\n10.0.0.0/24 = 203.0.113.0/24\n"

// advertised is a server that shows addresses by the map.
func advertised(t testing.TB, local bool) *fixture {
	t.Helper()
	table, err := advertise.Parse([]byte(addressMap))
	if err != nil {
		t.Fatal(err)
	}
	port := tlsport.New(tlsport.Options{Mode: tlsport.Disabled}, slog.New(slog.DiscardHandler))
	return start(t, func(o *nameserver.Options) {
		o.Local = local
		o.Secure = func(c net.Conn) (net.Conn, error) { return port.Accept(c) }
		o.Advertise = func(peer netip.Addr) nameserver.Addresses {
			if m := table.For(peer); m != nil {
				return m
			}
			return nil
		}
	})
}

// outside is a connection that comes through a proxy.
func (f *fixture) outside() *client {
	f.t.Helper()
	c := f.dial()
	if _, err := io.WriteString(c.c, "PROXY TCP4 198.51.100.7 192.0.2.9 4000 9876\r\n"); err != nil {
		f.t.Fatal(err)
	}
	return c
}

func TestAddressesAreShownByThePeersNetwork(t *testing.T) {
	for _, local := range []bool{true, false} {
		f := advertised(t, local)
		in, out := f.dial(), f.outside()
		master := registration("b1", "10.0.0.1:10911", 0, "t1")
		master.ExtFields = append(master.ExtFields, remoting.Field{Key: "haServerAddr", Value: "10.0.0.1:10912"})
		in.mustRegister(master)
		slave := registration("b1", "10.0.0.2:10911", 1, "t1")
		zoned := routeOf("t1")
		zoned.ExtFields = append(zoned.ExtFields, remoting.Field{Key: "__ZONE_MODE", Value: "true"}, remoting.Field{Key: "__ZONE_NAME", Value: "z"})
		in.mustRegister(slave)
		for _, cmd := range []remoting.Command{
			routeOf("t1"), zoned,
			request(remoting.GetBrokerClusterInfo),
			request(remoting.GetSystemTopicListFromNameServer),
			request(remoting.GetBrokerMemberGroup, "clusterName", "c1", "brokerName", "b1"),
			slave, // new to the connection that asks, and then not
			slave,
		} {
			inside, outside := shown(in.call(cmd)), shown(out.call(cmd))
			if !strings.Contains(inside, "10.0.0.1:10911") && cmd.Code != remoting.GetRouteInfoByTopic || strings.Contains(inside, "203.0.113") {
				t.Errorf("local %v: inside %v is answered %s", local, cmd.Code, inside)
			}
			if want := strings.ReplaceAll(inside, "10.0.0.", "203.0.113."); outside != want {
				t.Errorf("local %v: outside %v is answered\n%s, want\n%s", local, cmd.Code, outside, want)
			}
		}
		// What was registered from outside is what the broker said.
		out.mustRegister(registration("b2", "10.0.0.9:10911", 0, "t2"))
		if got := shown(in.call(routeOf("t2"))); !strings.Contains(got, `"10.0.0.9:10911"`) {
			t.Errorf("local %v: the route of what was registered outside: %s", local, got)
		}
	}
}

// shown is what an answer shows.
func shown(cmd remoting.Command) string {
	var b strings.Builder
	for _, f := range cmd.ExtFields {
		b.WriteString(f.Key + "=" + f.Value + " ")
	}
	return b.String() + string(cmd.Body)
}

func TestAChangeIsShownInAllNetworks(t *testing.T) {
	f := advertised(t, true)
	in, out := f.dial(), f.outside()
	for _, addr := range []string{"10.0.0.1:10911", "10.0.0.2:10911"} {
		in.mustRegister(registration("b1", addr, 0, "t1"))
		for range 2 {
			if got, want := shown(out.call(routeOf("t1"))), strings.Replace(addr, "10.0.0.", "203.0.113.", 1); !strings.Contains(got, `"0":"`+want+`"`) {
				t.Errorf("outside sees %s, want %s", got, want)
			}
		}
	}
}

func TestANoticeSpeaksOfTheAddressesThatItsBrokerSees(t *testing.T) {
	f := advertised(t, true)
	f.switches.Store(&nameserver.Switches{NotifyMinBroker: true})
	slave, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	register := func(c *client, addr string, id int) {
		cmd := registration("b1", addr, id)
		cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: "enableActingMaster", Value: "true"}, remoting.Field{Key: "haServerAddr", Value: "10.0.0.1:10912"})
		c.mustRegister(cmd)
	}
	register(f.outside(), slave.Addr().String(), 1)
	register(f.dial(), "10.0.0.1:10911", 0)
	slave.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c, err := slave.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	var told remoting.Command
	if err := remoting.NewReader(c, nil).Next(&told); err != nil {
		t.Fatal(err)
	}
	if got, want := shown(told), "minBrokerAddr=203.0.113.1:10911 minBrokerId=0 haBrokerAddr=203.0.113.1:10912 "; got != want {
		t.Errorf("the slave outside was told %s, want %s", got, want)
	}
}

// BenchmarkRouteAdvertised is what a lookup costs where addresses are shown
// otherwise, and where no section is for the peer.
func BenchmarkRouteAdvertised(b *testing.B) {
	for _, c := range []struct {
		name string
		dial func(*fixture) *client
	}{{"outside", (*fixture).outside}, {"inside", (*fixture).dial}} {
		b.Run(c.name, func(b *testing.B) {
			f := advertised(b, true)
			f.dial().mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
			asker := c.dial(f)
			asker.c.SetDeadline(time.Time{})
			cmd := routeOf("t1")
			for b.Loop() {
				asker.call(cmd)
			}
		})
	}
}
