package advertise

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"signpost/core"
	"signpost/internal/livefile"
)

const sample = `
# Everybody outside.
[0.0.0.0/0, ::/0]
10.1.0.5:10911 = 203.0.113.7:20911
10.1.0.5       = 203.0.113.9          # its other ports
10.1.0.6       = Broker-B.example.com
10.1.0.0/16    = 203.0.113.8
10.1.2.0/24    = 198.51.100.0/24
10.1.3.0/25    = 198.51.101.128/25
Broker-C:10911 = 203.0.113.7:30911
broker-d       = 2001:db8::d
2001:db8::/32  = 2001:db9::/32
[2001:db8::7]:10911 = [2001:db8:ffff::7]:1
[2001:db8::8]  = host-8

[10.0.0.0/8]

[10.9.0.0/16 192.0.2.1/32]
10.1.0.5 = 10.9.0.5
`

func table(t *testing.T, text string) *Table {
	t.Helper()
	table, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func addr(t *Table, peer, addr string) string {
	if m := t.For(netip.MustParseAddr(peer)); m != nil {
		return m.Addr(addr)
	}
	return addr
}

func TestAddressesByNetwork(t *testing.T) {
	tab := table(t, sample)
	for _, c := range []struct{ peer, addr, want string }{
		{"198.51.100.1", "10.1.0.5:10911", "203.0.113.7:20911"},
		{"198.51.100.1", "10.1.0.5:10912", "203.0.113.9:10912"},
		{"198.51.100.1", "10.1.0.6:10911", "broker-b.example.com:10911"},
		{"198.51.100.1", "10.1.7.7:10911", "203.0.113.8:10911"},
		{"198.51.100.1", "10.1.2.77:10911", "198.51.100.77:10911"},
		{"198.51.100.1", "10.1.3.100:10911", "198.51.101.228:10911"},
		{"198.51.100.1", "10.1.3.200:10911", "203.0.113.8:10911"},
		{"198.51.100.1", "broker-C:10911", "203.0.113.7:30911"},
		{"198.51.100.1", "broker-c:10909", "broker-c:10909"},
		{"198.51.100.1", "BROKER-D:10911", "[2001:db8::d]:10911"},
		{"198.51.100.1", "10.2.0.1:10911", "10.2.0.1:10911"},
		{"2001:db8::1", "[2001:db8:1::5]:10911", "[2001:db9:1::5]:10911"},
		{"2001:db8::1", "2001:db8::7:10911", "[2001:db8:ffff::7]:1"},
		{"2001:db8::1", "[2001:db8::8]:1", "host-8:1"},
		{"::ffff:198.51.100.1", "10.1.0.5:10911", "203.0.113.7:20911"},
		{"2001:db8::1%eth0", "10.1.0.5:10911", "203.0.113.7:20911"},
		// Only the section of the longest prefix counts.
		{"10.2.3.4", "10.1.0.5:10911", "10.1.0.5:10911"},
		{"10.9.3.4", "10.1.0.5:10911", "10.9.0.5:10911"},
		{"10.9.3.4", "10.1.0.6:10911", "10.1.0.6:10911"},
		{"192.0.2.1", "10.1.0.5:1", "10.9.0.5:1"},
		// What is no host:port stays as it is.
		{"198.51.100.1", "", ""},
		{"198.51.100.1", "10.1.0.5", "10.1.0.5"},
		{"198.51.100.1", ":10911", ":10911"},
		{"198.51.100.1", "10.1.0.5:", "10.1.0.5:"},
		{"198.51.100.1", "10.1.0.5:99999", "10.1.0.5:99999"},
	} {
		if got := addr(tab, c.peer, c.addr); got != c.want {
			t.Errorf("%s sees %s as %s, want %s", c.peer, c.addr, got, c.want)
		}
	}
	if tab.For(netip.Addr{}) != nil {
		t.Error("a peer without an address has a mapping")
	}
}

func TestAllFaultsAreListed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "has no network"},
		{"# nothing", "has no network"},
		{"[10.0.0.0/8]\n\xff = a", "is not UTF-8"},
		{strings.Repeat("#", maxFile+1), "is longer than 1048576 bytes"},
		{"10.0.0.1 = 10.0.0.2\n[10.0.0.0/8]", "line 1: 10.0.0.1 is before the first [network]"},
		{"[]", "line 1: a section without a network"},
		{"[10.0.0.1]\n[10.0.0.1/8]\n[a/8]\n[::ffff:10.0.0.0/104]", "line 1: 10.0.0.1 is no network, address/bits; " +
			"line 2: 10.0.0.1/8 has bits beyond its prefix; the network is 10.0.0.0/8; line 3: a/8 is no network, address/bits; " +
			"line 4: ::ffff:10.0.0.0/104 is an IPv4 network written as IPv6"},
		{"[10.0.0.0/8]\n[11.0.0.0/8 10.0.0.0/8]", "line 2: 10.0.0.0/8 is in line 1 already"},
		{"[::/0]\na\na =\n= a\n[::/0", "line 2: a is neither [network] nor address = address; line 3: a = is neither [network] nor address = address; " +
			"line 4: = a is neither [network] nor address = address; line 5: [::/0 is neither [network] nor address = address"},
		{"[::/0]\na:1 = b\na:0 = b:65536\na = b:1", "line 2: b is not host:port; an IPv6 address stands in brackets; " +
			"line 3: a:0 has no port from 1 to 65535; line 3: b:65536 has no port from 1 to 65535; line 4: b:1 is no host name and no IP address"},
		{"[::/0]\na b = c\nd = 10.0.0.256\ne = fe80::1%eth0\nf = 0.0.0.0\ng = ff02::1\n-h = i", "line 2: a b is no host name and no IP address; " +
			"line 3: 10.0.0.256 is no host name and no IP address; line 4: fe80::1%eth0 has a zone, which is one machine's; " +
			"line 5: 0.0.0.0 is no address of a host; line 6: ff02::1 is no address of a host; line 7: -h is no host name and no IP address"},
		{"[::/0]\na = b\nA = c\na:1 = b:1\nA:1 = c:1\n10.0.0.0/8 = a\n10.0.0.0/8 = b", "line 3: a is in line 2 already; " +
			"line 5: a:1 is in line 4 already; line 7: 10.0.0.0/8 is in line 6 already"},
		{"[::/0]\na:1 = x:1\nb:1 = X:1", "line 3: x:1 is what line 2 shows already"},
		{"[::/0]\n10.0.0.0/8 = 11.0.0.0/9\n10.0.0.0/8 = ::/8\n10.0.0.1/8 = a\n10.0.0.0/8 = a:1\n10.0.0.0/8 = 1.0.0.1/8",
			"line 2: 11.0.0.0/9 is not a network of the size of 10.0.0.0/8; line 3: ::/8 is not a network of the size of 10.0.0.0/8; " +
				"line 4: 10.0.0.1/8 has bits beyond its prefix; the network is 10.0.0.0/8; line 5: a:1 is no host name and no IP address; " +
				"line 6: 1.0.0.1/8 has bits beyond its prefix; the network is 1.0.0.0/8"},
		{"[::/0]" + strings.Repeat("\na", 60), "and 10 more"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || err.Error() != c.want && !(strings.HasPrefix(c.want, "and ") && strings.HasSuffix(err.Error(), "; "+c.want)) {
			t.Errorf("%.60q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// of is a route with a master, a slave and a filter server.
func of(topic string) *core.Route {
	return &core.Route{
		Topic: topic, OrderConf: "b1:4", HasOrderConf: true, Revision: 7,
		Rows: []core.Row{{Broker: "b1", Topic: core.Topic{Name: topic}}},
		Brokers: []core.RouteBroker{{Name: "b1", Cluster: "c", Zone: "z", EnableActingMaster: true,
			Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.1.0.5:10911"}, {ID: 1, Addr: "10.2.0.1:10911"}}}},
		Filters: []core.FilterServers{{Addr: "10.1.0.5:10911", Servers: []string{"10.1.0.5:1", "10.2.0.1:2"}}},
	}
}

func TestARouteAsItIsShown(t *testing.T) {
	m := table(t, sample).For(netip.MustParseAddr("198.51.100.1"))
	r := of("orders")
	as := m.Route(r)
	if got, want := fmt.Sprint(as.Brokers, as.Filters), "[{b1 c [{0 203.0.113.7:20911} {1 10.2.0.1:10911}] true z}] [{203.0.113.7:20911 [203.0.113.9:1 10.2.0.1:2]}]"; got != want {
		t.Errorf("shown %s, want %s", got, want)
	}
	if as.Topic != r.Topic || as.OrderConf != r.OrderConf || !as.HasOrderConf || as.Revision != r.Revision || !slices.Equal(as.Rows, r.Rows) {
		t.Errorf("something else is shown than there is: %v of %v", as, r)
	}
	if got, want := fmt.Sprint(r.Brokers, r.Filters), fmt.Sprint(of("orders").Brokers, of("orders").Filters); got != want {
		t.Errorf("the route itself was changed: %s", got)
	}
	if m.Route(r) != as {
		t.Error("it is made again for who asks again")
	}
	changed := of("orders")
	if again := m.Route(changed); again == as || m.Route(changed) != again {
		t.Error("it is not made once for each change")
	}
}

func TestBrokersShownAtOneAddressShareItsFilterServers(t *testing.T) {
	m := table(t, "[::/0 0.0.0.0/0]\n10.0.0.0/8 = gate").For(netip.MustParseAddr("::1"))
	r := of("t")
	r.Filters = append(r.Filters, core.FilterServers{Addr: "10.2.0.1:10911"})
	if got := m.Route(r).Filters; len(got) != 1 || got[0].Addr != "gate:10911" {
		t.Errorf("filter servers %v: a key that is there twice is no JSON", got)
	}
}

func TestGroupsAsTheyAreShown(t *testing.T) {
	m := table(t, sample).For(netip.MustParseAddr("198.51.100.1"))
	groups := []core.Group{{Name: "b1", Replicas: []core.Replica{{Addr: "10.1.0.5:10911", HAAddr: "10.1.0.5:10912"}, {ID: 1, Addr: "10.2.0.1:10911"}}}}
	as := m.Groups(groups)
	if got := as[0].Replicas; got[0].Addr != "203.0.113.7:20911" || got[0].HAAddr != "203.0.113.9:10912" || got[1].Addr != "10.2.0.1:10911" || got[1].HAAddr != "" {
		t.Errorf("shown %v", got)
	}
	if groups[0].Replicas[0].Addr != "10.1.0.5:10911" {
		t.Error("the group itself was changed")
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	tab := table(t, "[10.0.0.0/8]\n10.1.0.5 = a\n[11.0.0.0/8]\n10.1.0.5 = b")
	var all sync.WaitGroup
	for _, peer := range []string{"10.0.0.1", "11.0.0.1"} {
		all.Go(func() {
			m := tab.For(netip.MustParseAddr(peer))
			for i := range 20_000 {
				m.Route(of(fmt.Sprintf("topic%d", i)))
			}
		})
	}
	all.Wait()
	if tab.kept.bytes > keptBytes {
		t.Errorf("%d bytes are kept, want at most %d", tab.kept.bytes, keptBytes)
	}
	entries, bytes := 0, int64(0)
	for _, m := range tab.mappings {
		m.routes.Range(func(_, s any) bool { entries++; bytes += weightOf(s.(shown).as); return true })
	}
	if most := int(keptBytes / weightOf(of(""))); entries > most {
		t.Errorf("%d routes are kept, want at most %d", entries, most)
	}
	if bytes != tab.kept.bytes {
		t.Errorf("%d bytes are counted, and %d kept", tab.kept.bytes, bytes)
	}
	same := of("t")
	m := tab.mappings[0]
	m.Route(same)
	before := tab.kept.bytes
	for range 100 {
		m.Route(of("t"))
	}
	if after := tab.kept.bytes; after != before {
		t.Errorf("%d bytes are kept after changes of one route, %d before", after, before)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample, "198.51.100.1", "10.1.0.5:10911")
	f.Add("[::/0]\n::/0 = ::/0", "::1", "[::1]:1")
	f.Add("[0.0.0.0/0]\n[::1]:1=[::2]:2", "1.1.1.1", "::1:1")
	f.Fuzz(func(t *testing.T, text, peer, addr string) {
		tab, err := Parse([]byte(text))
		if err != nil {
			if tab != nil || len(err.(livefile.Faults)) == 0 {
				t.Fatalf("%v with faults %v", tab, err)
			}
			return
		}
		ip, err := netip.ParseAddr(peer)
		if err != nil {
			return
		}
		m := tab.For(ip)
		if m == nil {
			return
		}
		got := m.Addr(addr)
		if got == addr {
			return
		}
		// What is shown can be connected to, with the port or one from the file.
		was, _ := parseEndpoint(addr)
		e, ok := parseEndpoint(got)
		if !ok || e.String() != got {
			t.Fatalf("%q is shown as %q, which is no host:port", addr, got)
		}
		if _, exact := m.exact[was]; !exact && e.port != was.port {
			t.Fatalf("%q is shown as %q, with another port", addr, got)
		}
		if _, err := readHost(e.host); err != nil && !strings.Contains(text, "/") {
			t.Fatalf("%q is shown as %q: %v", addr, got, err)
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	tab, err := Parse([]byte(sample))
	if err != nil {
		b.Fatal(err)
	}
	peer, r := netip.MustParseAddr("198.51.100.1"), of("orders")
	for b.Loop() {
		tab.For(peer).Route(r)
	}
}
