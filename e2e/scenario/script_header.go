package scenario

import (
	"fmt"
	"math"

	"signpost/internal/remoting"
)

var headerScenarios = []Scenario{
	{Name: "header-json", About: "JSON headers: leniency in types and missing members, what is echoed and what is not.", script: jsonHeaders},
	{Name: "header-binary", About: "ROCKETMQ headers: empty values, unknown languages, remarks; and the encoding of the answer.", Traces: true, script: binaryHeaders},
	{Name: "header-flags", About: "Flag bits: responses are ignored, oneway is never answered, others mean nothing.", script: flagBits},
	{Name: "oneway", About: "Oneway requests are carried out and never answered, whatever comes of them.", Traces: true, script: oneway},
	{Name: "unknown-code", About: "Unknown request codes: no answer from 4.x, code 3 from 5.x.", script: unknownCodes},
}

func jsonHeaders(s *Script) {
	s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	raw := func(name, format string, opaque int32) {
		s.askRaw("client", name, opaque, rawJSON(fmt.Sprintf(format, opaque)))
	}
	raw("complete", `{"code":105,"extFields":{"topic":"orders"},"flag":0,"language":"JAVA","opaque":%d,"serializeTypeCurrentRPC":"JSON","version":373}`, 1001)
	raw("numbers-in-fields", `{"code":101,"extFields":{"namespace":1,"key":true},"language":"JAVA","opaque":%d,"version":407}`, 1002)
	raw("numbers-as-text", `{"code":"106","flag":"0","language":"JAVA","opaque":"%d","version":"407"}`, 1003)
	raw("unknown-members", `{"code":106,"colour":"blue","nested":{"a":[1,2,{"b":null}]},"opaque":%d,"version":407}`, 1004)
	raw("unknown-language", `{"code":106,"language":"KLINGON","opaque":%d,"version":407}`, 1005)
	raw("language-go", `{"code":106,"language":"GO","opaque":%d,"version":407}`, 1006)
	raw("language-number", `{"code":106,"language":9,"opaque":%d,"version":407}`, 1007)
	raw("opaque-negative", `{"code":106,"opaque":%d}`, -5)
	raw("opaque-smallest", `{"code":106,"opaque":%d}`, math.MinInt32)
	raw("opaque-largest", `{"code":106,"opaque":%d}`, math.MaxInt32)
	raw("version-missing", `{"code":105,"extFields":{"topic":"orders"},"opaque":%d}`, 1008)
	raw("fields-missing", `{"code":105,"opaque":%d,"version":373}`, 1009)
	raw("fields-null", `{"code":105,"extFields":null,"opaque":%d,"version":373}`, 1010)
	raw("fields-empty", `{"code":105,"extFields":{},"opaque":%d,"version":373}`, 1011)
	raw("field-null", `{"code":105,"extFields":{"topic":null},"opaque":%d,"version":373}`, 1012)
	raw("field-of-another-case", `{"code":105,"extFields":{"Topic":"orders"},"opaque":%d,"version":373}`, 1013)
	raw("field-empty", `{"code":105,"extFields":{"topic":""},"opaque":%d,"version":373}`, 1014)
	raw("fields-too-many", `{"code":105,"extFields":{"topic":"orders","zone":"x","":"y"},"opaque":%d,"version":373}`, 1015)
	raw("escapes", `{"code":101,"extFields":{"namespace":"caf\u00e9\/\"\\\t","key":"日本"},"opaque":%d,"version":407}`, 1016)
	raw("spaces", " {\n \"version\" : 373 , \"opaque\" : %d ,\t\"code\" : 106 } ", 1017)
	raw("other-encoding-said", `{"code":106,"opaque":%d,"serializeTypeCurrentRPC":"ROCKETMQ","version":407}`, 1018)
	raw("remark", `{"code":106,"opaque":%d,"remark":"hello","version":407}`, 1019)
	if s.is5() {
		s.askRaw("client", "code-missing", 1020, rawJSON(`{"opaque":1020,"version":407}`))
	} else {
		s.silentRaw("client", "code-missing", 1020, rawJSON(`{"opaque":1020,"version":407}`))
	}
}

func binaryHeaders(s *Script) {
	s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)).binary())
	s.ask("client", "clusters", clusters().binary())
	s.ask("client", "route", route("orders").binary())
	s.ask("client", "route-unknown", route("nowhere").binary())
	s.ask("client", "put", putKV("ns", "key", "wert ü").binary())
	s.ask("client", "get", getKV("ns", "key").binary())
	s.ask("client", "get-unknown", getKV("ns", "other").binary())
	s.ask("client", "exception", call(remoting.RegisterBroker, "brokerName", "broker-b", "brokerAddr", "10.0.0.2:10911",
		"clusterName", "c1", "haServerAddr", "10.0.0.2:10912").binary())
	s.ask("client", "remark", clusters().remark("grüße").binary())
	s.ask5("client", "unknown-code", call(999).binary())
	s.silent("client", "oneway", clusters().oneway().binary())

	raw := func(name string, language byte, version int16, opaque int32, ext string) {
		s.askRaw("client", name, opaque, rawBinary(105, language, version, opaque, 0, 0, "", int32(len(ext)), ext))
	}
	raw("language-unknown", 99, 373, 2001, entry("topic", "orders"))
	raw("language-node-js", 13, 373, 2002, entry("topic", "orders"))
	raw("opaque-negative", 0, 373, -7, entry("topic", "orders"))
	raw("value-empty", 0, 373, 2003, entry("topic", ""))
	raw("key-empty", 0, 373, 2004, entry("", "x")+entry("topic", "orders"))
	raw("key-twice", 0, 373, 2005, entry("topic", "nowhere")+entry("topic", "orders"))
	raw("no-fields", 0, 373, 2006, "")
	raw("version-407", 0, 407, 2007, entry("topic", "orders"))
}

func flagBits(s *Script) {
	s.silent("client", "response", clusters().flag(1))
	s.silent("client", "response-of-unknown-code", call(0).flag(1))
	s.silent("client", "response-and-oneway", clusters().flag(3))
	s.silent("client", "oneway", clusters().flag(2))
	s.ask("client", "other-bits", clusters().flag(4))
	s.ask("client", "many-other-bits", clusters().flag(0x7FFFFFFC))
	s.silent("client", "all-bits", clusters().flag(-1))
	s.silent("client", "registration-as-response", s.register(broker("broker-a", "10.0.0.1:10911", 0)).flag(1))
	s.settle("client", "still-nobody", clusters())
}

func oneway(s *Script) {
	s.silent("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)).oneway())
	s.await("client", "route", route("orders"), code(remoting.Success))
	s.silent("client", "route-oneway", route("orders").oneway())
	s.silent("client", "unknown-topic", route("nowhere").oneway())
	s.silent("client", "unknown-code", call(999).oneway())
	s.silent("client", "exception", s.register(broker("broker-b", "10.0.0.2:10911", 0)).without("brokerId").oneway())
	s.silent("client", "bad-body", broker("broker-b", "10.0.0.2:10911", 0).call().body("{").oneway())
	s.silent("client", "put", putKV("ns", "key", "value").oneway())
	s.await("client", "get", getKV("ns", "key"), code(remoting.Success))
	s.silent("broker", "unregister", broker("broker-a", "10.0.0.1:10911", 0).unregister().oneway())
	s.await("client", "route-gone", route("orders"), code(remoting.TopicNotExist))
}

func unknownCodes(s *Script) {
	for _, c := range []remoting.Code{0, 1, 10, 34, 107, 207, 314, 323, 905, 902, 1001, 32767, -1} {
		s.ask5("client", fmt.Sprintf("code-%d", c), call(c))
	}
	s.ask5("client", "code-70000", call(70000))
	s.ask5("client", "with-fields-and-body", call(999, "topic", "orders").body("{}"))
	if !s.is5() {
		s.silent("client", "register-topic", call(remoting.RegisterTopicInNameServer, "topic", "orders").body(`{"queueDatas":[]}`))
		s.silent("client", "member-group", memberGroup("c1", "broker-a"))
		s.silent("client", "heartbeat", call(remoting.BrokerHeartbeat, "clusterName", "c1", "brokerAddr", "10.0.0.1:10911", "brokerName", "broker-a"))
	}
	if s.is480() {
		s.silent("client", "add-write-permission", call(remoting.AddWritePermOfBroker, "brokerName", "broker-a"))
	}
	s.ask("client", "known", clusters())
}
