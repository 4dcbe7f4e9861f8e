//go:build e2e

package brokers

import (
	"net"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/e2e/functions/stack"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// TestAClockTenMinutesOff: the API refuses what a shim signs by its own clock.
// It takes the API's, says so once, and all goes on.
func TestAClockTenMinutesOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"behind": 10 * time.Minute, "ahead": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := func() time.Time { return time.Now().Add(off) }
			c := startCloud(t, stack.Options{Now: now})
			f := newShim(t, c, "beatMillis=200")
			f.start(t)
			n := together(f)
			defer registerByHand(t, f.addr, "broker-a", "10.0.0.1:10911", "orders").Close()
			const route = "broker-a of by-hand at 0=10.0.0.1:10911: r4 w4 perm 6"
			n.awaitRoute(t, soon, "orders", route)
			caller := c.As(stack.Reader)
			caller.Now = now
			await(t, soon, "the cloud to have it", func() string {
				r, err := caller.Do(t.Context(), "GET", "/v1/read/route?topic=orders", nil)
				switch {
				case err != nil:
					return err.Error()
				case r.Status != 200:
					return r.String()
				case describe("orders", r.Body) != route:
					return describe("orders", r.Body)
				}
				return ""
			})
			calls := c.Links[0].Calls("PUT /v1/register/session")
			await(t, soon, "more beats", func() string {
				if c.Links[0].Calls("PUT /v1/register/session") < calls+5 {
					return "few"
				}
				return ""
			})
			said := 0
			for line := range strings.Lines(f.run.output()) {
				if strings.Contains(line, "clock") {
					said++
				}
			}
			if said != 1 {
				t.Errorf("the clock is spoken of %d times:\n%s", said, f.run.output())
			}
		})
	}
}

// registerByHand registers a broker on a connection of its own, as often as it
// takes.
func registerByHand(t *testing.T, addr, broker, brokerAddr string, topics ...string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var content core.Content
	for _, name := range topics {
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	content.Topics = append(content.Topics, core.Topic{Name: broker, Queues: core.Queues{Read: 1, Write: 1, Perm: 6}}) // one alone is not taken
	await(t, soon, broker+" to be registered", func() string {
		_ = conn.SetDeadline(time.Now().Add(soon)) // only fails on a closed connection
		request := remoting.Command{
			Code: remoting.RegisterBroker, Language: "JAVA", Version: remoting.V5_3_3, Opaque: 7,
			ExtFields: remoting.Fields{
				{Key: "clusterName", Value: "by-hand"}, {Key: "brokerName", Value: broker}, {Key: "brokerId", Value: "0"},
				{Key: "brokerAddr", Value: brokerAddr}, {Key: "haServerAddr", Value: ""},
			},
			Body: wire.AppendRegistration(nil, content, wire.JSON5),
		}
		if _, err := conn.Write(remoting.AppendFrame(nil, &request)); err != nil {
			return err.Error()
		}
		var answer remoting.Command
		if err := remoting.NewReader(conn, func(remoting.Code) int { return remoting.MaxFrame }).Next(&answer); err != nil {
			return err.Error()
		}
		if answer.Code != remoting.Success {
			return answer.Remark
		}
		return ""
	})
	return conn
}
