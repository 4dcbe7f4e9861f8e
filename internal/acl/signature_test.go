package acl

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"signpost/internal/remoting"
)

// vector is a request that a RocketMQ release has signed. testdata/signed.tsv
// has them: release, what it is, header encoding, secret, frame in hex. They
// are what e2e/acl/java/Vectors.java prints with the release's jars; a test
// there makes them again and compares.
type vector struct {
	release, name, encoding, secret string
	cmd                             remoting.Command
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/signed.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			t.Fatalf("line with %d fields: %q", len(f), line)
		}
		frame, err := hex.DecodeString(f[4])
		if err != nil {
			t.Fatal(err)
		}
		v := vector{release: f[0], name: f[1], encoding: f[2], secret: f[3]}
		if err := remoting.NewReader(bytes.NewReader(frame), nil).Next(&v.cmd); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// key is the accessKey of the vectors.
func (v vector) key() string {
	key, _ := v.cmd.ExtFields.Get(fieldAccessKey)
	return key
}

// all has one account with every permission.
func (v vector) all() *accounts {
	return &accounts{byKey: map[string]*account{v.key(): {key: v.key(), signer: newSigner(v.secret), classes: Read | Register | Admin}}}
}

var elsewhere = netip.MustParseAddr("192.0.2.1")

func TestSignaturesOfRocketMQ(t *testing.T) {
	seen := map[string]int{}
	for _, v := range vectors(t) {
		seen[v.release+" "+v.encoding]++
		if r := v.all().judge(&v.cmd, ClassOf(v.cmd.Code), elsewhere); r != nil {
			t.Errorf("%s %s %s: %v", v.release, v.encoding, v.name, r)
		}
		signed := v.all().byKey[v.key()].signer.signed(&v.cmd, false)
		if outside := v.name == "zone of a client"; signed == outside {
			t.Errorf("%s %s %s: with all fields it is signed: %v", v.release, v.encoding, v.name, signed)
		}
	}
	for _, want := range []string{"4.8.0 JSON", "4.8.0 ROCKETMQ", "4.9.7 JSON", "4.9.7 ROCKETMQ", "5.3.3 JSON", "5.3.3 ROCKETMQ"} {
		if seen[want] < 10 {
			t.Errorf("%d vectors of %s", seen[want], want)
		}
	}
}

// TestWhateverIsSignedMayNotChange changes each field and the body of each vector.
func TestWhateverIsSignedMayNotChange(t *testing.T) {
	for _, v := range vectors(t) {
		a, class := v.all(), ClassOf(v.cmd.Code)
		what := v.release + " " + v.encoding + " " + v.name
		refused := func(how string, cmd remoting.Command) {
			t.Helper()
			r := a.judge(&cmd, class, elsewhere)
			if r == nil {
				t.Errorf("%s: %s, and it passes", what, how)
			}
		}
		for i, f := range v.cmd.ExtFields {
			if v.name == "zone of a client" && strings.HasPrefix(f.Key, "__ZONE_") {
				continue
			}
			cmd := v.cmd
			cmd.ExtFields = slices.Clone(v.cmd.ExtFields)
			cmd.ExtFields[i].Value += "x"
			refused(f.Key+" is longer", cmd)
			if f.Value == "" {
				continue
			}
			cmd.ExtFields = slices.Delete(slices.Clone(v.cmd.ExtFields), i, i+1)
			refused(f.Key+" is gone", cmd)
			cmd.ExtFields = append(slices.Clone(v.cmd.ExtFields), remoting.Field{Key: f.Key, Value: "other"})
			refused(f.Key+" is there twice", cmd)
		}
		cmd := v.cmd
		cmd.ExtFields = append(slices.Clone(v.cmd.ExtFields), remoting.Field{Key: "more", Value: "1"})
		refused("a field is added", cmd)
		cmd = v.cmd
		cmd.Body = append(slices.Clone(v.cmd.Body), 'x')
		refused("the body is longer", cmd)
		for i := range v.cmd.Body {
			cmd.Body = slices.Clone(v.cmd.Body)
			cmd.Body[i] ^= 1
			refused("the body is another", cmd)
		}
	}
}

// TestZoneOfARegistrationIsSigned: what a client may add after signing a
// lookup, nobody may add to anything else.
func TestZoneOfARegistrationIsSigned(t *testing.T) {
	for _, v := range vectors(t) {
		v.cmd.ExtFields = append(v.cmd.ExtFields, remoting.Field{Key: fieldZoneName, Value: "elsewhere"})
		r := v.all().judge(&v.cmd, ClassOf(v.cmd.Code), elsewhere)
		if read := ClassOf(v.cmd.Code) == Read; (r == nil) != read {
			t.Errorf("%s %s with a zone: %v", v.release, v.name, r)
		}
	}
}

// javaContent is what Java signs, the long way: a map, sorted by UTF-16.
func javaContent(fields remoting.Fields) string {
	m := map[string]string{}
	for _, f := range fields {
		m[f.Key] = f.Value
	}
	delete(m, fieldSignature)
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(m[k])
	}
	return b.String()
}

// javaSignature is Java's AclSigner.calSignature.
func javaSignature(secret, content string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(content))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func FuzzContent(f *testing.F) {
	for _, v := range vectors(f) {
		var text []string
		for _, x := range v.cmd.ExtFields {
			text = append(text, x.Key, x.Value)
		}
		f.Add(strings.Join(text, "\n"))
	}
	f.Add("a\n1\na\n2\nSignature\nx\n\U0001F600\n3\n\uffee\n4\n\ue000\n5\n\u00e9\n6\n\n7")
	f.Fuzz(func(t *testing.T, text string) {
		parts := strings.Split(strings.ToValidUTF8(text, "\ufffd"), "\n") // as remoting has them
		var fields remoting.Fields
		for i := 0; i+1 < len(parts); i += 2 {
			fields = append(fields, remoting.Field{Key: parts[i], Value: parts[i+1]})
		}
		before := slices.Clone(fields)
		got, _ := appendContent(nil, nil, fields, false)
		if want := javaContent(fields); string(got) != want {
			t.Errorf("%q: %q, want %q", fields, got, want)
		}
		if !slices.Equal(fields, before) {
			t.Errorf("the request's fields are changed: %q, were %q", fields, before)
		}
	})
}

func BenchmarkAuthorize(b *testing.B) {
	v := vectors(b)[0]
	g := &Guard{}
	g.accounts.Store(v.all())
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Authorize(&v.cmd, elsewhere); err != nil {
			b.Fatal(err)
		}
	}
}
