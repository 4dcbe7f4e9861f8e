package advertise

import (
	"cmp"
	"net/netip"
	"slices"
)

// prefixes finds the longest prefix that has an address. It takes a look for
// each length that there is, however many prefixes there are.
type prefixes[T any] []length[T]

// length has the prefixes of one length, of IPv4 and of IPv6.
type length[T any] struct {
	bits int
	by   map[netip.Prefix]T
}

// add adds a masked prefix that is not there; has says that it is.
func (p *prefixes[T]) add(prefix netip.Prefix, value T) (has bool) {
	i, ok := slices.BinarySearchFunc(*p, prefix.Bits(), func(l length[T], bits int) int { return cmp.Compare(bits, l.bits) })
	if !ok {
		*p = slices.Insert(*p, i, length[T]{prefix.Bits(), map[netip.Prefix]T{}})
	}
	by := (*p)[i].by
	if _, has = by[prefix]; !has {
		by[prefix] = value
	}
	return has
}

// find returns the value of the longest prefix that has the address.
func (p prefixes[T]) find(addr netip.Addr) (value T, ok bool) {
	for _, l := range p {
		prefix, err := addr.Prefix(l.bits)
		if err != nil { // longer than the address, or there is none
			continue
		}
		if value, ok = l.by[prefix]; ok {
			return value, true
		}
	}
	return value, false
}
