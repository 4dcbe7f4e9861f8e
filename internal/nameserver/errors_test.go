package nameserver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

// with changes the fields of a request; "" takes one away.
func with(cmd remoting.Command, ext ...string) remoting.Command {
	for i := 0; i < len(ext); i += 2 {
		var kept remoting.Fields
		for _, f := range cmd.ExtFields {
			if f.Key != ext[i] {
				kept = append(kept, f)
			}
		}
		if ext[i+1] != "" {
			kept = append(kept, remoting.Field{Key: ext[i], Value: ext[i+1]})
		}
		cmd.ExtFields = kept
	}
	return cmd
}

func withBody(cmd remoting.Command, body string) remoting.Command {
	cmd.Body = []byte(body)
	return cmd
}

// TestResponseHeaderOfErrors: what Java's handlers answer themselves has a
// header, if an empty one; what they throw at has none.
func TestResponseHeaderOfErrors(t *testing.T) {
	good := registration("b1", "10.0.0.1:10911", 0)
	query := withBody(request(remoting.QueryDataVersion, "clusterName", "c1", "brokerName", "b1", "brokerAddr", "10.0.0.1:10911"), "{}")
	c := start(t, nil).dial()
	for _, tc := range []struct {
		name   string
		cmd    remoting.Command
		code   remoting.Code
		header bool
	}{
		{"checksum", with(good, "bodyCrc32", "1"), remoting.SystemError, true},
		{"one topic", withBody(good, `{"topicConfigSerializeWrapper":{"topicConfigTable":{"t":{"topicName":"t"}}}}`), remoting.SystemError, true},
		{"body", withBody(good, `{"topic`), remoting.SystemError, false},
		{"no id", with(good, "brokerId", ""), remoting.SystemError, false},
		{"no such key", request(remoting.GetKVConfig, "namespace", "n", "key", "k"), remoting.QueryNotFound, true},
		{"data version", withBody(query, `{`), remoting.SystemError, false},
		{"data version without address", with(query, "brokerAddr", ""), remoting.SystemError, false},
		{"no such topic", routeOf("nowhere"), remoting.TopicNotExist, false},
	} {
		got := c.call(tc.cmd)
		if got.Code != tc.code || (got.ExtFields != nil) != tc.header {
			t.Errorf("%s: code %d, header %v; want %d, header: %v", tc.name, got.Code, got.ExtFields, tc.code, tc.header)
		}
	}
}

// TestWhatIsNoNumberCountsAsAbsent: Java reads bodyCrc32 as an int, and only
// logs what is none.
func TestWhatIsNoNumberCountsAsAbsent(t *testing.T) {
	c := start(t, nil).dial()
	for _, sum := range []string{"0", "4294967296", "-2147483649", "99999999999999999999", "abc", " 1", ""} {
		if got := c.call(with(registration("b1", "10.0.0.1:10911", 0), "bodyCrc32", sum)); got.Code != remoting.Success {
			t.Errorf("bodyCrc32 %q: %d %s", sum, got.Code, got.Remark)
		}
	}
	for _, sum := range []string{"1", "-1", "2147483647", "+1"} {
		if got := c.call(with(registration("b1", "10.0.0.1:10911", 0), "bodyCrc32", sum)); got.Code != remoting.SystemError || got.Remark != "crc32 not match" {
			t.Errorf("bodyCrc32 %q: %d %s", sum, got.Code, got.Remark)
		}
	}
}

// TestADataVersionThatIsNullIsChanged: as one that is not there.
func TestADataVersionThatIsNullIsChanged(t *testing.T) {
	c := start(t, nil).dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0))
	for _, body := range []string{"", "null", " null\n"} {
		got := c.call(withBody(request(remoting.QueryDataVersion, "clusterName", "c1", "brokerName", "b1", "brokerAddr", "10.0.0.1:10911"), body))
		if changed, _ := got.ExtFields.Get("changed"); got.Code != remoting.Success || changed != "true" || len(got.Body) == 0 {
			t.Errorf("body %q: %d, changed=%s, %s", body, got.Code, changed, got.Body)
		}
	}
}

// unavailable is a registry whose store is throttled.
type unavailable struct{ nameserver.Registry }

func (unavailable) Route(context.Context, time.Time, string) (*core.Route, error) {
	return nil, fmt.Errorf("read rows: %w: throttled by all accounts", core.ErrUnavailable)
}

// A failure is never an absent topic, on which a client would act.
func TestUnavailableIsNotAbsent(t *testing.T) {
	c := start(t, func(o *nameserver.Options) { o.Registry = unavailable{o.Registry} }).dial()
	if got := c.call(routeOf("t")); got.Code != remoting.SystemError || got.Remark != "not answered in time, try again" {
		t.Errorf("answered %d %q", got.Code, got.Remark)
	}
}
