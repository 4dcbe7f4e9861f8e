package wire

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"signpost/core"
)

// wantLimit checks that err names that limit.
func wantLimit(t *testing.T, err error, what string, most int) {
	t.Helper()
	var limit *LimitError
	if !errors.As(err, &limit) || !errors.Is(err, ErrTooLarge) || errors.Is(err, ErrDecode) {
		t.Fatalf("got %v, want more than %d %s", err, most, what)
	}
	if limit.What != what || limit.Max != most {
		t.Fatalf("got %v, want more than %d %s", limit, most, what)
	}
}

// allocated is how many bytes run takes from the heap in all.
func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// pack makes a compact body of 4-byte numbers and of texts without a length.
func pack(parts ...any) []byte {
	var plain []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			plain = binary.BigEndian.AppendUint32(plain, uint32(int32(p)))
		case string:
			plain = append(plain, p...)
		}
	}
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	if err != nil {
		panic(err)
	}
	z.Write(plain)
	z.Close()
	return packed.Bytes()
}

// section is a text with its length before it.
func section(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

func TestTopicsAreCounted(t *testing.T) {
	for _, form := range []RegistrationForm{JSON4, JSON5, Compact4, Compact5} {
		body := AppendRegistration(nil, fleet(100), form)
		o := Options{Compressed: form.Compressed(), Version: form.Version(), MaxTopics: 100}
		if c, err := DecodeRegistration(body, o); err != nil || len(c.Topics) != 100 {
			t.Errorf("form %d: %d topics, %v", form, len(c.Topics), err)
		}
		o.MaxTopics = 99
		_, err := DecodeRegistration(body, o)
		wantLimit(t, err, "topics", 99)
	}
}

func TestMappingsAreCounted(t *testing.T) {
	c := core.Content{FilterServers: []string{}}
	for i := range 10 {
		c.Mappings = append(c.Mappings, &core.Mapping{Topic: fmt.Sprint("t", i), Scope: globalScope})
	}
	for _, form := range []RegistrationForm{JSON5, Compact5} {
		body := AppendRegistration(nil, c, form)
		o := Options{Compressed: form.Compressed(), Version: form.Version(), MaxTopics: 10}
		if got, err := DecodeRegistration(body, o); err != nil || len(got.Mappings) != 10 {
			t.Errorf("form %d: %d mappings, %v", form, len(got.Mappings), err)
		}
		o.MaxTopics = 9
		_, err := DecodeRegistration(body, o)
		wantLimit(t, err, "mappings", 9)
	}
}

func TestMappedQueuesAreCountedOverAllMappings(t *testing.T) {
	var ids []byte
	for id := range maxMappedQueues / 2 {
		ids = append(strconv.AppendInt(ids, int64(id), 10), ":0,"...)
	}
	half := string(ids)
	body := func(tables ...string) []byte {
		var b strings.Builder
		b.WriteString(`{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{`)
		for i, table := range tables {
			fmt.Fprintf(&b, `"t%d":{"currIdMap":{%s}},`, i, table)
		}
		b.WriteString("}}}")
		return []byte(b.String())
	}
	if _, err := DecodeRegistration(body(half, half), Options{Version: modern}); err != nil {
		t.Error(err)
	}
	_, err := DecodeRegistration(body(half, half, "0:0"), Options{Version: modern})
	wantLimit(t, err, "mapped queues", maxMappedQueues)
}

func TestFilterServersAreCounted(t *testing.T) {
	for _, form := range []RegistrationForm{JSON4, Compact4} {
		c := core.Content{FilterServers: strings.Split(strings.Repeat("f,", maxFilterServers-1)+"f", ",")}
		o := Options{Compressed: form.Compressed(), Version: form.Version()}
		if got, err := DecodeRegistration(AppendRegistration(nil, c, form), o); err != nil || len(got.FilterServers) != maxFilterServers {
			t.Errorf("form %d: %d filter servers, %v", form, len(got.FilterServers), err)
		}
		c.FilterServers = append(c.FilterServers, "f")
		_, err := DecodeRegistration(AppendRegistration(nil, c, form), o)
		wantLimit(t, err, "filter servers", maxFilterServers)
	}
}

func TestBrokersAndReplicasOfAnAnswerAreCounted(t *testing.T) {
	list := func(element string, n int) string { return strings.Repeat(element+",", n) }
	for _, tc := range []struct {
		body string
		what string
		most int
	}{
		{`{"queueDatas":[` + list("{}", maxBrokers+1) + `]}`, "brokers", maxBrokers},
		{`{"brokerDatas":[` + list("{}", maxBrokers+1) + `]}`, "brokers", maxBrokers},
		{`{"brokerDatas":[{"brokerAddrs":{` + list("7:0", maxReplicas+1) + `}}]}`, "replicas", maxReplicas},
		{`{"filterServerTable":{` + list("a:[]", maxBrokers+1) + `}}`, "brokers", maxBrokers},
		{`{"topicQueueMappingByBroker":{"b":{"currIdMap":{` + list("7:0", 1) + `}}}}`, "", 0},
	} {
		_, err := DecodeRoute("t", []byte(tc.body))
		if tc.what == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantLimit(t, err, tc.what, tc.most)
	}
}

func TestNestingIsBounded(t *testing.T) {
	nested := func(open, end string, n int) []byte {
		return []byte(`{"x":` + strings.Repeat(open, n) + "1" + strings.Repeat(end, n) + "}")
	}
	for _, b := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		if _, err := DecodeRegistration(nested(b[0], b[1], maxDepth), Options{Version: modern}); err != nil {
			t.Error(err)
		}
		for _, n := range []int{maxDepth + 1, 100_000} {
			_, err := DecodeRegistration(nested(b[0], b[1], n), Options{Version: modern})
			if !errors.Is(err, ErrDecode) || !strings.Contains(err.Error(), "x: nests too deep") {
				t.Errorf("%d levels: %v", n, err)
			}
		}
	}
}

func TestInflatedBytesAreCounted(t *testing.T) {
	body := pack(section("{}"), 1, section("T 8 8 6 SINGLE_TAG"), section("[]"))
	inflated := 4 + 2 + 4 + 4 + 18 + 4 + 2
	o := Options{Compressed: true, Version: modern, MaxInflated: inflated}
	if c, err := DecodeRegistration(body, o); err != nil || len(c.Topics) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	for most := 1; most < inflated; most++ {
		o.MaxInflated = most
		_, err := DecodeRegistration(body, o)
		wantLimit(t, err, "inflated bytes", most)
	}
}

func TestBombsTakeNoMemory(t *testing.T) {
	const size, most = 16 << 20, 8 << 20
	zeros := string(make([]byte, size))
	for name, body := range map[string][]byte{
		"one long section":          pack(size, zeros),
		"more than the sections":    pack(section("{}"), 0, section("[]"), zeros),
		"more topics than there is": pack(section("{}"), 1<<20, zeros), // empty lines
	} {
		var err error
		took := allocated(func() {
			_, err = DecodeRegistration(body, Options{Compressed: true, Version: modern, MaxInflated: most, MaxTopics: 1 << 20})
		})
		if !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrDecode) {
			t.Errorf("%s: %v", name, err)
		}
		if took > 1<<20 {
			t.Errorf("%s: took %d bytes", name, took)
		}
	}
}

func TestLengthsAreNotBelieved(t *testing.T) {
	for _, tc := range []struct {
		name string
		body []byte
		want error
		text string
	}{
		{"a section of 2 GiB", pack(math.MaxInt32, "{}"), ErrTooLarge, "inflated bytes"},
		{"a section of 60 MB that is not there", pack(60_000_000, "{}"), ErrDecode, "ends too early"},
		{"a negative length", pack(-1, "{}"), ErrDecode, "dataVersion: its length is -1"},
		{"10 million topics", pack(section("{}"), 10_000_000, section("T 8 8 6 SINGLE_TAG")), ErrTooLarge, "topics"},
		{"200,000 topics that are not there", pack(section("{}"), DefaultMaxTopics, section("T 8 8 6 SINGLE_TAG")), ErrDecode, "ends too early"},
		{"a negative number of topics", pack(section("{}"), -1), ErrDecode, "topics: their number is -1"},
		{"a negative line", pack(section("{}"), 1, -5), ErrDecode, "topicConfigTable: its length is -5"},
		{"10 million mappings", pack(section("{}"), 0, section("[]"), 10_000_000), ErrTooLarge, "mappings"},
		{"a negative number of mappings", pack(section("{}"), 0, section("[]"), -2), ErrDecode, "mappings: their number is -2"},
	} {
		var err error
		took := allocated(func() {
			_, err = DecodeRegistration(tc.body, Options{Compressed: true, Version: 479})
		})
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.text)
		}
		if took > 1<<20 {
			t.Errorf("%s: took %d bytes", tc.name, took)
		}
	}
}

func TestCompactBodyThatIsNone(t *testing.T) {
	whole := pack(section("{}"), 1, section("T 8 8 6 SINGLE_TAG"), section("[]"))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1 // of the checksum
	line := func(l string) []byte { return pack(section("{}"), 1, section(l), section("[]")) }
	for _, tc := range []struct {
		name string
		body []byte
		text string
	}{
		{"JSON", []byte(`{"topicConfigSerializeWrapper":{}}`), "zlib: invalid header"},
		{"one byte", []byte{0x78}, "ends too early"},
		{"a header alone", []byte{0x78, 0xda}, "ends too early"},
		{"noise", []byte{0x78, 0xda, 0xff, 0xff, 0xff}, "compressed data"},
		{"an empty stream", pack(), "ends too early"},
		{"no checksum", whole[:len(whole)-4], "ends too early"},
		{"a wrong checksum", flipped, "zlib: invalid checksum"},
		{"no data version", pack(section("null"), 0, section("[]")), "dataVersion: cannot decode the body: body: is not an object"},
		{"four tokens", line("T 8 8 6"), "a line has 4 tokens"},
		{"an empty line", line(""), "a line has 1 tokens"},
		{"no name", line(" 8 8 6 SINGLE_TAG"), "topicName: is missing"},
		{"a name that is no text", line("\xff 8 8 6 SINGLE_TAG"), "topicName: is missing or not UTF-8"},
		{"two spaces", line("T  8 8 6 SINGLE_TAG"), "readQueueNums: is not a number"},
		{"letters", line("T 8 x 6 SINGLE_TAG"), "topic 1 of 1: writeQueueNums: is not a number"},
		{"33 bits", line("T 8 8 2147483648 SINGLE_TAG"), "perm: is not a number"},
	} {
		_, err := DecodeRegistration(tc.body, Options{Compressed: true, Version: modern})
		if !errors.Is(err, ErrDecode) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.text)
		}
	}
}

func TestCompactBodyInDetail(t *testing.T) {
	decode := func(line, filters string) (core.Content, error) {
		return DecodeRegistration(pack(section("{}"), 1, section(line), section(filters), "and more"), Options{Compressed: true, Version: modern})
	}
	for line, want := range map[string]core.Topic{
		"T 8 4 6 SINGLE_TAG":                        topic("T", 8, 4, 6, 0),
		"T 8 4 6 SINGLE_TAG ":                       topic("T", 8, 4, 6, 0),
		"T 8 4 6 LATER_TAG {}":                      topic("T", 8, 4, 6, 0),
		`T 8 4 6 SINGLE_TAG {"+a":"b c"}`:           topic("T", 8, 4, 6, 0),
		"T -1 +4 0000000006 SINGLE_TAG":             topic("T", -1, 4, 6, 0),
		"日本 2147483647 -2147483648 0 SINGLE_TAG {}": topic("日本", math.MaxInt32, math.MinInt32, 0, 0),
	} {
		if c, err := decode(line, "[]"); err != nil || len(c.Topics) != 1 || !c.Topics[0].Equal(want) {
			t.Errorf("%q: got %+v, %v; want %+v", line, c.Topics, err, want)
		}
	}
	for filters, want := range map[string][]string{`["a"]`: {"a"}, "[]": {}, "null": nil, "": {}, "no list": {}, `["a"`: {}, "{}": {}} {
		c, err := decode("T 8 4 6 SINGLE_TAG", filters)
		if err != nil || len(c.FilterServers) != len(want) || (c.FilterServers == nil) != (want == nil) {
			t.Errorf("%q: got %#v, %v; want %#v", filters, c.FilterServers, err, want)
		}
	}
}

func TestNothingRefersToTheBody(t *testing.T) {
	want := fleet(3)
	want.FilterServers = []string{"10.0.0.1:3000"}
	want.Mappings = []*core.Mapping{{Topic: want.Topics[0].Name, Broker: "b-0", Scope: "elsewhere", Current: map[int32]int32{1: 2}}}
	for _, form := range []RegistrationForm{JSON5, Compact5} {
		body := AppendRegistration(nil, want, form)
		got, err := DecodeRegistration(body, Options{Version: form.Version()})
		if err != nil {
			t.Fatal(err)
		}
		for i := range body {
			body[i] = 'x'
		}
		if !sameContent(got, want) {
			t.Errorf("form %d: %+v", form, got)
		}
	}
}

func TestDecodersShareNothing(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want := fleet(50 + i)
			body := AppendRegistration(nil, want, Compact4)
			for range 20 {
				if got, err := DecodeRegistration(body, Options{Version: modern}); err != nil || !sameContent(got, want) {
					t.Errorf("%d topics: got %d, %v", len(want.Topics), len(got.Topics), err)
				}
				if _, err := DecodeRegistration(body[:len(body)/2], Options{Version: modern}); !errors.Is(err, ErrDecode) {
					t.Errorf("half a body: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
