package wire

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"signpost/core"
)

// seed adds what Java wrote with that suffix.
func seed(f *testing.F, suffix string, add func([]byte)) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "java", "*"+suffix))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
	}
}

// checkDecoded holds what a decoder promises of anything that it takes.
func checkDecoded(t *testing.T, c core.Content, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, ErrDecode) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("neither of the two errors: %v", err)
		}
		if !utf8.ValidString(err.Error()) || len(err.Error()) > 1000 {
			t.Fatalf("not fit for a peer: %q", err)
		}
		return
	}
	names := map[string]bool{}
	for _, topic := range c.Topics {
		if topic.Name == "" || names[topic.Name] || !utf8.ValidString(topic.Name) || topic.Mapping != nil {
			t.Fatalf("bad topic %+v", topic)
		}
		names[topic.Name] = true
	}
	for _, m := range c.Mappings {
		if !utf8.ValidString(m.Topic) || names["\x00"+m.Topic] {
			t.Fatalf("bad mapping %+v", m)
		}
		names["\x00"+m.Topic] = true
	}
	again, err := DecodeRegistration(AppendRegistration(nil, c, JSON5), Options{Version: 479, MaxTopics: 1 << 20})
	if err != nil {
		t.Fatalf("written again: %v", err)
	}
	if !sameContent(again, c) {
		t.Fatalf("got %+v, want %+v", again, c)
	}
}

func FuzzDecodeRegistration(f *testing.F) {
	seed(f, ".json", func(b []byte) { f.Add(b, false, int32(479)); f.Add(b, false, int32(0)) })
	seed(f, ".zlib", func(b []byte) { f.Add(b, true, int32(407)); f.Add(b, false, int32(479)) })
	f.Fuzz(func(t *testing.T, body []byte, compressed bool, version int32) {
		before := bytes.Clone(body)
		c, err := DecodeRegistration(body, Options{Compressed: compressed, Version: version, MaxInflated: 1 << 20, MaxTopics: 1000})
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		checkDecoded(t, c, err)
	})
}

// FuzzCompactRegistration reaches what is inside the compressed stream.
func FuzzCompactRegistration(f *testing.F) {
	seed(f, ".zlib", func(b []byte) {
		in := newInflater(b, 1<<20)
		defer in.release()
		var plain []byte
		for in.err == nil {
			plain = append(plain, in.next(1)...)
		}
		f.Add(plain, int32(479))
	})
	f.Fuzz(func(t *testing.T, plain []byte, version int32) {
		c, err := DecodeRegistration(deflate(nil, plain), Options{Version: version, MaxInflated: 1 << 20, MaxTopics: 1000})
		checkDecoded(t, c, err)
	})
}

func FuzzDecodeRoute(f *testing.F) {
	seed(f, ".json", func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := DecodeQueueDatas("t", body); err != nil && !errors.Is(err, ErrDecode) && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		r, err := DecodeRoute("t", body)
		if err != nil {
			if r != nil || !errors.Is(err, ErrDecode) && !errors.Is(err, ErrTooLarge) {
				t.Fatal(r, err)
			}
			return
		}
		for _, form := range []Form{Plain, Standard} {
			written := AppendRoute(nil, r, form)
			again, err := DecodeRoute("t", written)
			if err != nil {
				t.Fatalf("%q: %v", written, err)
			}
			if twice := AppendRoute(nil, again, form); !bytes.Equal(written, twice) {
				t.Fatalf("got %q, want %q", twice, written)
			}
		}
	})
}

func FuzzDecodeClusterInfo(f *testing.F) {
	f.Add([]byte(`{"brokerAddrTable":{"a":{"brokerAddrs":{0:"x:1","1":"y:1"},"brokerName":"a","cluster":"c","enableActingMaster":true,"zoneName":"z"}},"clusterAddrTable":{"c":["a"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		groups, _, err := DecodeClusterInfo(body)
		if err != nil {
			return
		}
		written := AppendClusterInfo(nil, groups)
		again, _, err := DecodeClusterInfo(written)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		for i := range groups { // no replicas, no word on acting masters
			if len(groups[i].Replicas) > 0 && !reflect.DeepEqual(again[i], groups[i]) {
				t.Fatalf("got %+v, want %+v", again[i], groups[i])
			}
		}
	})
}

func FuzzStrings(f *testing.F) {
	f.Add("a/b\"\\\x00\u2028é😀\xff")
	f.Fuzz(func(t *testing.T, s string) {
		want := string([]rune(s)) // U+FFFD for what is not UTF-8
		for _, form := range []Form{Plain, Standard} {
			sc := newScanner(appendString(nil, s, form))
			text, ok := sc.text()
			if err := sc.end(); err != nil || !ok {
				t.Fatalf("%q: %v", s, err)
			}
			if string(text) != want {
				t.Fatalf("got %q, want %q", text, want)
			}
		}
	})
}
