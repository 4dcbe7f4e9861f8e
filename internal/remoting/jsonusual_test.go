package remoting

import (
	"bytes"
	"reflect"
	"testing"
)

// agree checks that a header which decodeUsualJSON takes is one that
// decodeJSON reads in the same way, and returns whether it took it.
func agree(t *testing.T, s string) bool {
	t.Helper()
	var usual, full Command
	if !decodeUsualJSON(s, &usual, nil) {
		return false
	}
	if err := decodeJSON(s, &full, nil); err != nil {
		t.Fatalf("%s\nis taken as usual, but %v", s, err)
	}
	if !reflect.DeepEqual(usual, full) {
		t.Fatalf("%s\nusual: %+v\nfull:  %+v", s, usual, full)
	}
	return true
}

func TestUsualHeadersAreReadAsAllAre(t *testing.T) {
	for s, taken := range map[string]bool{
		`{"code":105,"extFields":{"topic":"a b"},"flag":0,"language":"JAVA","opaque":-2147483648,"serializeTypeCurrentRPC":"JSON","version":479}`: true,
		`{"code":106,"flag":2,"language":"GO","opaque":1,"serializeTypeCurrentRPC":"JSON","version":0}`:                                           true,
		`{"code":106,"extFields":{},"flag":0,"language":"x","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1}`:                             true,
		`{"code":1,"extFields":{"a":"1","a":"2","b":""},"flag":0,"language":"JAVA","opaque":007,"serializeTypeCurrentRPC":"JSON","version":1}`:    true,

		`{"code":1,"flag":0,"language":"JAVA","opaque":12345678901,"serializeTypeCurrentRPC":"JSON","version":1}`:              false,
		`{"code":1,"flag":0,"language":"JAVA","opaque":2147483648,"serializeTypeCurrentRPC":"JSON","version":1}`:               false,
		`{"code":1,"extFields":{"a":"é"},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1}`:  false,
		`{"code":1,"extFields":{"a":"\n"},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1}`: false,
		`{"code":1,"extFields":{"a":1},"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1}`:    false,
		`{"code":1,"extFields":null,"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1}`:       false,
		`{"code":1,"flag":0,"language":"JAVA","opaque":1,"remark":"r","serializeTypeCurrentRPC":"JSON","version":1}`:           false,
		`{"code":1,"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1} `:                       false,
		`{"code":-,"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1}`:                        false,
		`{"code":1,"flag":0,"language":"JAVA","opaque":1,"serializeTypeCurrentRPC":"JSON","version":1`:                         false,
		``: false,
	} {
		if got := agree(t, s); got != taken {
			t.Errorf("taken %v: %s", got, s)
		}
	}
}

func FuzzUsualHeader(f *testing.F) {
	f.Add(`{"code":105,"extFields":{"topic":"a"},"flag":0,"language":"JAVA","opaque":17,"serializeTypeCurrentRPC":"JSON","version":479}`)
	f.Add(`{"code":1,"flag":0,"language":"GO","opaque":-1,"serializeTypeCurrentRPC":"JSON","version":0}`)
	f.Fuzz(func(t *testing.T, s string) { agree(t, s) })
}

func TestPlainIsEachCharacterByItself(t *testing.T) {
	for c := range 256 {
		for _, length := range []int{1, 7, 8, 9, 16, 23} {
			for at := range length {
				b := bytes.Repeat([]byte{'a'}, length)
				b[at] = byte(c)
				want := ' ' <= c && c < 0x7f && c != '\\'
				if got := plain(string(b)); got != want {
					t.Fatalf("%#x at %d of %d: plain %v", c, at, length, got)
				}
			}
		}
	}
	for _, ends := range []string{" ~", "[]", "\x00\x80", "\x1f\xff"} { // where borrows and carries begin
		for pattern := range 256 {
			b := make([]byte, 8)
			want := true
			for i := range b {
				b[i] = ends[pattern>>i&1]
				want = want && ' ' <= b[i] && b[i] < 0x7f && b[i] != '\\'
			}
			if got := plain(string(b)); got != want {
				t.Fatalf("%q: plain %v", b, got)
			}
		}
	}
}
