package nameserver_test

import (
	"errors"
	"net/netip"
	"sync"
	"testing"

	"signpost/internal/acl"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

// refusal is what an authorizer tells a peer.
type refusal string

func (r refusal) Error() string       { return string(r) }
func (r refusal) Code() remoting.Code { return remoting.NoPermission }

// TestNothingIsDoneThatIsNotAuthorized: whatever handles a request, quick, inline, beside the
// loop or not at all, the authorizer is asked first.
func TestNothingIsDoneThatIsNotAuthorized(t *testing.T) {
	for _, local := range []bool{true, false} {
		f := start(t, func(o *nameserver.Options) {
			o.Local = local
			o.Authorize = func(cmd *remoting.Command, _ netip.Addr) error {
				if key, _ := cmd.ExtFields.Get("AccessKey"); key == "good" {
					return nil
				}
				return refusal("not you")
			}
		})
		c := f.dial()
		good := registration("b1", "10.0.0.1:10911", 0, "t1")
		good.ExtFields = append(good.ExtFields, remoting.Field{Key: "AccessKey", Value: "good"})
		c.mustRegister(good)

		unchanged := registration("b1", "10.0.0.1:10911", 0, "t1")
		leave := request(remoting.UnregisterBroker, "clusterName", "c1", "brokerName", "b1", "brokerAddr", "10.0.0.1:10911", "brokerId", "0")
		for _, cmd := range []remoting.Command{unchanged, routeOf("t1"), leave, request(remoting.GetBrokerClusterInfo), request(999)} {
			if got := c.call(cmd); got.Code != remoting.NoPermission || got.Remark != "not you" || len(got.Body) != 0 {
				t.Errorf("local %v: %v is answered %v %q, with %d bytes", local, cmd.Code, got.Code, got.Remark, len(got.Body))
			}
		}
		oneway := leave
		oneway.Flag |= remoting.FlagOneway
		asked := routeOf("t1")
		asked.ExtFields = append(asked.ExtFields, remoting.Field{Key: "AccessKey", Value: "good"})
		c.send(oneway, asked)
		if got := c.receive(); got.Code != remoting.Success || got.Opaque != asked.Opaque {
			t.Errorf("local %v: after a refused oneway request the route is answered %v %q", local, got.Code, got.Remark)
		}
	}
}

// TestAuthorizerKnowsThePeer: it gets the socket's address, and its own failure is the server's.
func TestAuthorizerKnowsThePeer(t *testing.T) {
	var mu sync.Mutex
	var from netip.Addr
	f := start(t, func(o *nameserver.Options) {
		o.Authorize = func(cmd *remoting.Command, a netip.Addr) error {
			mu.Lock()
			defer mu.Unlock()
			from = a
			if cmd.Code == remoting.GetRouteInfoByTopic {
				panic("broken")
			}
			return errors.New("the accounts are on fire")
		}
	})
	c := f.dial()
	for _, cmd := range []remoting.Command{routeOf("t1"), request(remoting.GetBrokerClusterInfo)} {
		if got := c.call(cmd); got.Code != remoting.SystemError || got.Remark != "internal error, see the NameServer's log" {
			t.Errorf("%v is answered %v %q", cmd.Code, got.Code, got.Remark)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := netip.MustParseAddr("127.0.0.1"); from != want {
		t.Errorf("the peer is %v, want %v", from, want)
	}
}

// TestEveryServedCodeHasAClass: a code without a class of permission could be
// used by nobody where access is controlled, and one with two is not known.
func TestEveryServedCodeHasAClass(t *testing.T) {
	c := start(t, nil).dial()
	served := 0
	for code := remoting.Code(0); code < 2000; code++ {
		class := acl.ClassOf(code)
		known := class == acl.Read || class == acl.Register || class == acl.Admin
		if got := c.call(request(code)).Code != remoting.RequestCodeNotSupported; got != known {
			t.Errorf("%v is served: %v, class %v", code, got, class)
		} else if got {
			served++
		}
	}
	if served < 23 {
		t.Errorf("%d codes are served", served)
	}
}
