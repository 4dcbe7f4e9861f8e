package acl

import (
	"errors"
	"net/netip"
	"strings"
)

var errAddress = errors.New("must be an address, one with a prefix (10.1.2.0/24), one that ends in .* (10.1.2.*), or *")

// everywhere is what * stands for.
var everywhere = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// prefixes reads one address as plain_acl.yml has them, or with a prefix.
// RocketMQ's ranges (10.1.2.1-9, 10.1.2.{1,2}) are written as several.
func prefixes(text string) ([]netip.Prefix, error) {
	switch {
	case text == "*":
		return everywhere, nil
	case strings.HasSuffix(text, ".*"):
		fixed := text
		for strings.HasSuffix(fixed, ".*") {
			fixed = strings.TrimSuffix(fixed, ".*")
		}
		octets, stars := strings.Count(fixed, ".")+1, (len(text)-len(fixed))/2
		a, err := netip.ParseAddr(fixed + strings.Repeat(".0", stars))
		if err != nil || !a.Is4() {
			return nil, errAddress
		}
		return []netip.Prefix{netip.PrefixFrom(a, 8*octets)}, nil
	case strings.Contains(text, "/"):
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errAddress
		}
		if p != p.Masked() {
			return nil, errors.New("has bits beyond its prefix: " + p.Masked().String() + " is meant, or the address alone")
		}
		return []netip.Prefix{p}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return nil, errAddress
	}
	a = a.Unmap()
	return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
}
