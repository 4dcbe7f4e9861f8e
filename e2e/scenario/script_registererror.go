package scenario

import (
	"fmt"
	"strings"

	"signpost/internal/remoting"
)

var registerErrorScenarios = append([]Scenario{
	{Name: "register-bad-body", About: "Bodies that cannot be decoded are refused and change nothing.", script: badBodies},
	{Name: "register-bad-id", About: "Broker ids: missing, not a number, negative, large.", script: badIDs},
	{Name: "register-versions", About: "The sender's version decides how a body is read: none, before 3.0.11, unknown ones.", script: senderVersions},
}, missingFieldScenarios()...)

func badBodies(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("broker", "good", s.register(b))
	for _, c := range []struct{ name, body string }{
		{"json-cut-off", `{"topicConfigSerializeWrapper":{`},
		{"json-null", `null`},
		{"json-array", `[]`},
		{"json-text", `"text"`},
		{"json-number", `17`},
		{"no-json", `hello`},
		{"table-is-array", `{"topicConfigSerializeWrapper":{"topicConfigTable":[]}}`},
		{"perm-is-text", `{"topicConfigSerializeWrapper":{"topicConfigTable":{"t":{"topicName":"t","perm":"rw"}}}}`},
		{"filters-is-text", `{"filterServerList":"10.0.0.1:30001"}`},
		{"one-byte", "\x00"},
	} {
		s.ask("broker", c.name, b.call().body(c.body))
	}
	version := b.dataVersion(false)
	filters := u32(2) + "[]"
	head := u32(int32(len(version))) + version
	line := func(text string) string { return u32(1) + u32(int32(len(text))) + text + filters }
	for _, c := range []struct{ name, packed string }{
		{"packed-nothing", ""},
		{"packed-short-length", "\x00\x00"},
		{"packed-version-longer-than-body", u32(500) + version},
		{"packed-negative-length", u32(-1) + version},
		{"packed-version-only", head},
		{"packed-version-no-json", u32(5) + "hello" + u32(0) + filters},
		{"packed-four-tokens", head + line("t 1 1 6")},
		{"packed-six-tokens", head + line("t 1 1 6 SINGLE_TAG extra")},
		{"packed-tokens-not-numbers", head + line("t a b c SINGLE_TAG")},
		{"packed-unknown-filter-type", head + line("t 1 1 6 SOME_TAG")},
		{"packed-count-too-large", head + u32(9) + u32(18) + "t 1 1 6 SINGLE_TAG" + filters},
		{"packed-negative-count", head + u32(-5) + filters},
		{"packed-no-filters", head + u32(0)},
		{"packed-filters-no-array", head + u32(0) + u32(5) + "hello"},
		{"packed-more-at-the-end", head + u32(0) + filters + "more"},
		{"packed-empty-version", u32(2) + "{}" + u32(0) + filters},
	} {
		// A 4.x sender's: the mappings of 5.x are another scenario.
		s.ask("packed", c.name, b.call().with("compressed", "true").body(deflate([]byte(c.packed))).version(remoting.V4_9_7))
	}
	z := deflate(b.packed(false))
	s.ask("packed", "zlib-cut-off", b.call().with("compressed", "true").body(z[:len(z)/2]).version(remoting.V4_9_7))
	s.ask("packed", "zlib-garbage", b.call().with("compressed", "true").body("\x78\xda garbage garbage").version(remoting.V4_9_7))
	s.ask("packed", "zlib-checksum", b.call().with("compressed", "true").body(z[:len(z)-1]+"\x00").version(remoting.V4_9_7))
	s.ask("packed", "compressed-no-body", b.call().with("compressed", "true").version(remoting.V4_9_7))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
}

func badIDs(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "missing", s.register(b).without("brokerId"))
	s.ask("a", "text", s.register(b).with("brokerId", "zero"))
	s.ask("a", "empty", s.register(b).with("brokerId", ""))
	s.ask("a", "too-large", s.register(b).with("brokerId", "9223372036854775808"))
	s.ask("a", "missing-and-bad-body", b.call().without("brokerId").body("{"))
	s.ask("admin", "clusters-none", clusters())
	s.ask("a", "largest", s.register(b).with("brokerId", "9223372036854775807"))
	s.ask("b", "negative", s.register(broker("broker-b", "10.0.0.2:10911", 0)).with("brokerId", "-1"))
	s.ask("c", "with-plus", s.register(broker("broker-c", "10.0.0.3:10911", 0)).with("brokerId", "+1"))
	s.ask("d", "with-spaces", s.register(broker("broker-d", "10.0.0.4:10911", 0)).with("brokerId", " 1"))
	s.ask("e", "leading-zeros", s.register(broker("broker-e", "10.0.0.5:10911", 0)).with("brokerId", "007"))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
}

func senderVersions(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "none", s.register(b).version(0))
	s.ask("client", "route-none", route("orders"))
	s.ask("a", "36-modern-body", s.register(b).version(36))
	s.ask("client", "route-36-modern", route("orders"))
	s.ask("a", "36-bare-table", b.changed(rw("orders", 3), rw("payments", 3)).call().body(b.changed(rw("orders", 3), rw("payments", 3)).wrapperJSON(false)).version(36))
	s.ask("client", "route-36-bare", route("orders"))
	s.ask("a", "36-no-body", b.call().version(36))
	s.ask("a", "36-bad-body", b.call().body("{").version(36))
	c := broker("broker-b", "10.0.0.2:10911", 0)
	s.ask("b", "37", c.call().body(c.json(false)).version(37))
	s.ask("client", "route-37", route("orders"))
	s.ask("b", "612", c.call().body(c.json(true)).version(612))
	s.ask("b", "613", c.call().body(c.json(true)).version(613))
	s.ask("b", "100000", c.call().body(c.json(true)).version(100000))
	s.ask("b", "negative", c.call().body(c.json(true)).version(-1))
	s.ask("client", "route-at-the-end", route("payments"))
}

// missingFieldScenarios are one scenario for each header field of a
// registration, for what a server keeps of such a broker stays in it.
func missingFieldScenarios() []Scenario {
	var all []Scenario
	for _, c := range []struct{ slug, field string }{
		{"name", "brokerName"}, {"addr", "brokerAddr"}, {"cluster", "clusterName"}, {"ha", "haServerAddr"},
		{"fields", "brokerName brokerAddr clusterName haServerAddr brokerId compressed bodyCrc32"},
	} {
		all = append(all, Scenario{
			Name:   "register-without-" + c.slug,
			About:  fmt.Sprintf("A registration without %s.", c.field),
			Traces: true,
			script: func(s *Script) {
				s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)).without(strings.Fields(c.field)...))
				s.ask("client", "route", route("orders"))
				s.ask("admin", "topics", allTopics())
				s.ask("admin", "clusters", clusters())
				s.ask("admin", "cluster-topics", clusterTopics("c1"))
			},
		})
	}
	return all
}
