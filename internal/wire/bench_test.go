package wire

import (
	"fmt"
	"testing"

	"signpost/core"
)

// fleet is what a broker with n topics registers; the JSON of 50,000 has 8.3 MB.
func fleet(n int) core.Content {
	c := core.Content{DataVersion: core.DataVersion{Counter: 7, Timestamp: 1_700_000_000_000}, FilterServers: []string{}}
	for i := range n {
		c.Topics = append(c.Topics, core.Topic{Name: fmt.Sprintf("orders-%05d-created", i), Queues: core.Queues{Read: 8, Write: 8, Perm: 6}})
	}
	return c
}

func BenchmarkDecodeRegistration(b *testing.B) {
	for name, form := range map[string]RegistrationForm{"json4": JSON4, "json5": JSON5, "compact4": Compact4, "compact5": Compact5} {
		for _, n := range []int{40, 50_000} {
			body := AppendRegistration(nil, fleet(n), form)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					c, err := DecodeRegistration(body, Options{Compressed: form.Compressed(), Version: form.Version()})
					if err != nil || len(c.Topics) != n {
						b.Fatal(len(c.Topics), err)
					}
				}
			})
		}
	}
}

// sixteen is a route of a topic on 16 brokers with a master and a slave each.
func sixteen() *core.Route {
	r := &core.Route{Topic: "orders"}
	for i := range 16 {
		name := fmt.Sprintf("broker-%02d", i)
		r.Brokers = append(r.Brokers, core.RouteBroker{Name: name, Cluster: "DefaultCluster", Addrs: []core.ReplicaAddr{
			{ID: 0, Addr: fmt.Sprintf("10.0.0.%d:10911", i)}, {ID: 1, Addr: fmt.Sprintf("10.0.1.%d:10911", i)},
		}})
		r.Rows = append(r.Rows, core.Row{Broker: name, Topic: core.Topic{Name: "orders", Queues: core.Queues{Read: 8, Write: 8, Perm: 6}}})
	}
	return r
}

func BenchmarkAppendRoute(b *testing.B) {
	r := sixteen()
	for name, form := range map[string]Form{"plain": Plain, "standard": Standard} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = AppendRoute(dst[:0], r, form)
			}
			b.SetBytes(int64(len(dst)))
		})
	}
}

func BenchmarkDecodeRoute(b *testing.B) {
	body := AppendRoute(nil, sixteen(), Standard)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRoute("orders", body); err != nil {
			b.Fatal(err)
		}
	}
}
