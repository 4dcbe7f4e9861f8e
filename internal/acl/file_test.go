package acl

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"signpost/internal/livefile"
	"signpost/internal/remoting"
)

const example = `# comments are fine
accounts:
  - accessKey: brokers
    secretKey: 12345678
    permissions: [read, register]
    whiteRemoteAddress: 10.1.2.*, 2001:db8::/32
  - accessKey: "op: 1"
    secretKey: '*such a secret'
    whiteRemoteAddress:
    permissions:
      - admin
      - read
globalWhiteRemoteAddresses:
  - address: 10.9.0.0/16
    permissions: [read]
  - {address: 10.9.9.9, permissions: [register]}
`

func TestParse(t *testing.T) {
	a, err := parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.byKey) != 2 {
		t.Fatalf("%d accounts", len(a.byKey))
	}
	brokers, op := a.byKey["brokers"], a.byKey["op: 1"]
	if brokers.classes != Read|Register || op.classes != Read|Admin {
		t.Errorf("classes %b and %b", brokers.classes, op.classes)
	}
	if len(op.white) != 0 || len(brokers.white) != 2 {
		t.Errorf("white: %v and %v", op.white, brokers.white)
	}
	for addr, want := range map[string]Class{"10.9.1.1": Read, "10.9.9.9": Read | Register, "10.10.0.1": none, "10.1.2.3": none} {
		for _, class := range []Class{Read, Register, Admin} {
			if got := a.trusts(netip.MustParseAddr(addr), class); got != (want&class != 0) {
				t.Errorf("%s is trusted with %v: %v", addr, class, got)
			}
		}
	}
	if a.trusts(netip.Addr{}, Read) {
		t.Error("a peer without an address is trusted")
	}
}

func TestFaults(t *testing.T) {
	const account = "accounts:\n  - accessKey: someone\n    secretKey: 12345678\n    permissions: [read]\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"empty":            {"", []string{"is empty"}},
		"only comments":    {"# nothing\n", []string{"is empty"}},
		"null":             {"~\n", []string{"line 1: the file must be a mapping with accounts, globalWhiteRemoteAddresses"}},
		"a list":           {"- a\n", []string{"line 1: the file must be a mapping with accounts, globalWhiteRemoteAddresses"}},
		"nobody":           {"accounts: []\n", []string{"line 1: has no accounts: nobody could do anything"}},
		"nobody yet":       {"accounts:\n", []string{"line 1: has no accounts: nobody could do anything"}},
		"two documents":    {account + "---\n" + account, []string{"has more than one YAML document, or what follows the first is none"}},
		"no YAML":          {account + "   - x: [\n", []string{"line 1: is no YAML: did not find expected '-' indicator"}},
		"no list":          {"accounts: yes\n", []string{"line 1: accounts must be a list"}},
		"no mapping":       {"accounts:\n  - accessKey:someone\n", []string{"line 2: an account must be a mapping with accessKey, secretKey, permissions, whiteRemoteAddress"}},
		"secret as anchor": {"accounts:\n  - accessKey: a\n    secretKey: *hunter22\n    permissions: [read]\n", []string{"is no YAML: a value that begins with * or & needs quotes"}},
		"secret in a key":  {account + "    secretKey=hunter22: x\n", []string{"line 5: a key is none of accessKey, secretKey, permissions, whiteRemoteAddress"}},
		"all at once": {`accounts:
  - secretKey: short
    accessKey: [a]
    permissions: [read, write]
    colour: red
    admin: true
    topicPerms: [t=PUB]
  - accessKey: someone
    accessKey: someone
    secretKey:
    permissions: read
    whiteRemoteAddress: 10.1.2.1-9, 10.1.2.3/24, [1]
  - accessKey: someone
    secretKey: {a: b}
    whiteRemoteAddress: [10.1.2.3]
    permissions: []
  - {}
globalWhiteRemoteAddresses:
  - 10.10.103.*
  - address: 10.*.1.*
    permissions: [all]
users: []
`, []string{
			"line 22: users is none of accounts, globalWhiteRemoteAddresses",
			"line 5: colour is none of accessKey, secretKey, permissions, whiteRemoteAddress",
			"line 6: admin: say permissions: [read, register, admin]",
			"line 7: topicPerms is for brokers: a NameServer knows permissions only",
			"line 3: accessKey must be a text",
			"line 4: permissions must be a list of read, register and admin",
			"line 2: secretKey is too short: at least 7 bytes",
			"line 9: accessKey is there twice",
			"line 11: permissions must be a list of read, register and admin",
			"line 10: secretKey is empty",
			"line 12: whiteRemoteAddress: must be an address, one with a prefix (10.1.2.0/24), one that ends in .* (10.1.2.*), or *",
			"line 12: whiteRemoteAddress: has bits beyond its prefix: 10.1.2.0/24 is meant, or the address alone",
			"line 12: whiteRemoteAddress: must be an address, one with a prefix (10.1.2.0/24), one that ends in .* (10.1.2.*), or *",
			"line 16: permissions must be a list of read, register and admin",
			`line 13: accessKey "someone" is there twice`,
			"line 14: secretKey must be a text",
			"line 15: whiteRemoteAddress must be a text: addresses divided by commas",
			"line 17: accessKey is missing",
			"line 17: permissions are missing: any of read, register and admin",
			"line 17: secretKey is missing",
			"line 19: globalWhiteRemoteAddresses: say what is permitted from there: an entry has address and permissions",
			"line 21: permissions must be a list of read, register and admin",
			"line 20: address: must be an address, one with a prefix (10.1.2.0/24), one that ends in .* (10.1.2.*), or *",
		}},
	} {
		_, err := parse([]byte(c.text))
		var faults livefile.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: a secret in %q", name, err)
		}
		for i, f := range faults {
			if i >= len(c.want) || f.Error() != c.want[i] {
				t.Errorf("%s: unexpected %q", name, f)
			}
		}
		if len(faults) < len(c.want) {
			t.Errorf("%s: no %q", name, c.want[len(faults):])
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3": "10.1.2.3/32", "10.1.2.*": "10.1.2.0/24", "10.1.*.*": "10.1.0.0/16", "10.*.*.*": "10.0.0.0/8", "10.1.0.0/17": "10.1.0.0/17",
		"2001:db8::1": "2001:db8::1/128", "2001:db8::/32": "2001:db8::/32", "*": "0.0.0.0/0 ::/0", "::ffff:10.1.2.3": "10.1.2.3/32",
		"": "", "10.1.2": "", "10.*": "", "10.*.2.*": "", "10.1.2.3.*": "", "*.*.*.*": "", ".*": "", "fe80::1%eth0": "", "10.1.2.3/33": "", "host": "", "2001:db8::*": "",
	} {
		got, err := prefixes(text)
		var all []string
		for _, p := range got {
			all = append(all, p.String())
		}
		if s := strings.Join(all, " "); s != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v; want %q", text, s, err, want)
		}
	}
}

// FuzzParse: no text makes it fail in another way, or let somebody in who is
// not named.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("accounts: &a\n  - <<: *a\n")
	f.Add("? [a]\n: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parse([]byte(text))
		if err != nil {
			var faults livefile.Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Errorf("%v", err)
			}
			return
		}
		if len(a.byKey)+len(a.white) == 0 {
			t.Error("nobody is let in, and nothing is wrong")
		}
		for key, one := range a.byKey {
			if key == "" || one.classes == none {
				t.Errorf("account %q with classes %v", key, one.classes)
			}
		}
		if r := a.judge(&remoting.Command{Code: remoting.GetRouteInfoByTopic}, Read, elsewhere); r != errUnsigned {
			t.Errorf("without an account: %v", r)
		}
	})
}
