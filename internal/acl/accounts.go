package acl

import (
	"net/netip"

	"signpost/internal/remoting"
)

// accounts are what the file says. They are not changed once parse has
// returned them.
type accounts struct {
	byKey map[string]*account
	white []trusted
}

// account is one accessKey.
type account struct {
	key     string
	signer  signer
	classes Class
	white   []netip.Prefix // from there it need not sign
}

// trusted is where requests come from that need no account.
type trusted struct {
	from    []netip.Prefix
	classes Class
}

// trusts says whether an address may do without an account.
func (a *accounts) trusts(from netip.Addr, class Class) bool {
	for _, t := range a.white {
		if t.classes&class != 0 && contains(t.from, from) {
			return true
		}
	}
	return false
}

// judge returns nil if the request comes from an account that has the class.
func (a *accounts) judge(cmd *remoting.Command, class Class, from netip.Addr) *Refusal {
	key, _ := cmd.ExtFields.Get(fieldAccessKey)
	if key == "" {
		return errUnsigned
	}
	who := a.byKey[key]
	switch {
	case who == nil:
		return errUnknown(key)
	case !contains(who.white, from) && !who.signed(cmd, class):
		return errSignature
	case who.classes&class == 0:
		return errPermission(who.key, class, cmd.Code, from)
	}
	return nil
}

// signed says whether the account signed the request. A client's zone, which
// only chooses among the brokers that it is shown, may be outside.
func (w *account) signed(cmd *remoting.Command, class Class) bool {
	if w.signer.signed(cmd, false) {
		return true
	}
	_, name := cmd.ExtFields.Get(fieldZoneName)
	_, mode := cmd.ExtFields.Get(fieldZoneMode)
	return class == Read && (name || mode) && w.signer.signed(cmd, true)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
