package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// list is which servers there are.
type list struct {
	fixed    []netip.AddrPort
	names    []name
	resolver Resolver
	log      *slog.Logger

	text               atomic.Pointer[string] // what is answered, nil while that is not known
	listed, unresolved atomic.Int64           // see Stats
}

// name is a host to be resolved, and what is known of it. One goroutine at a
// time uses it.
type name struct {
	host  string
	ports []uint16

	addrs []netip.Addr // the last good ones, sorted; nil while there are none
	err   error        // of the last attempt
}

func newList(o Options) (*list, error) {
	if len(o.Servers) == 0 || len(o.Servers) > MaxServers {
		return nil, fmt.Errorf("%d servers to list, want 1 to %d", len(o.Servers), MaxServers)
	}
	l := &list{resolver: o.Resolver, log: o.Log}
	if l.resolver == nil {
		l.resolver = net.DefaultResolver
	}
	for _, server := range o.Servers {
		if err := l.add(server); err != nil {
			return nil, fmt.Errorf("server %s: %w", server, err)
		}
	}
	if len(l.names) == 0 {
		l.publish()
	}
	return l, nil
}

func (l *list) add(server string) error {
	host, text, err := net.SplitHostPort(server)
	if err != nil || host == "" {
		return errors.New("is not host:port")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return errors.New("has no port from 1 to 65535")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		l.fixed = append(l.fixed, netip.AddrPortFrom(addr.Unmap(), uint16(port)))
		return nil
	}
	i := slices.IndexFunc(l.names, func(n name) bool { return strings.EqualFold(n.host, host) })
	if i < 0 {
		i = len(l.names)
		l.names = append(l.names, name{host: host})
	}
	l.names[i].ports = append(l.names[i].ports, uint16(port))
	return nil
}

// run resolves the names until ctx ends.
func (l *list) run(ctx context.Context) {
	if len(l.names) == 0 {
		return
	}
	began := time.Now()
	ticker := time.NewTicker(resolveEvery)
	defer ticker.Stop()
	for {
		l.resolve(ctx)
		if l.complete() || time.Since(began) >= graceTime {
			l.publish()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// resolve looks all names up, at the same time.
func (l *list) resolve(ctx context.Context) {
	var all sync.WaitGroup
	for i := range l.names {
		all.Go(func() { l.names[i].resolve(ctx, l.resolver, l.log) })
	}
	all.Wait()
	failing := int64(0)
	for _, n := range l.names {
		if n.err != nil {
			failing++
		}
	}
	l.unresolved.Store(failing)
}

// resolve looks the name up. What was known before stays if that fails: also if
// the name is said not to exist, for it stands in the configuration, and DNS
// servers that are being loaded say so too.
func (n *name) resolve(ctx context.Context, r Resolver, log *slog.Logger) {
	attempt, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	found, err := r.LookupNetIP(attempt, "ip", n.host)
	addrs := usable(found)
	if err == nil && len(addrs) == 0 {
		err = errors.New("has no address that one could connect to")
	}
	if ctx.Err() != nil {
		return // it is over, and nobody's fault
	}
	failing := n.err != nil
	if n.err = err; err != nil {
		if !failing {
			log.Error("name of NameServers not resolved", "name", n.host, "kept", n.addrs, "error", err)
		}
		return
	}
	if failing || !slices.Equal(addrs, n.addrs) {
		log.Info("NameServers of a name", "name", n.host, "addresses", addrs)
	}
	n.addrs = addrs
}

// usable are the addresses that a client could connect to, sorted.
func usable(found []netip.Addr) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range found {
		// A zone means something on this machine only.
		if a = a.Unmap(); a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a.Zone() == "" {
			addrs = append(addrs, a)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	return addrs[:min(len(addrs), maxAddresses)]
}

// complete says whether each name was resolved at least once.
func (l *list) complete() bool {
	return !slices.ContainsFunc(l.names, func(n name) bool { return n.addrs == nil })
}

// publish makes what is known the answer; nothing is not one.
func (l *list) publish() {
	all := slices.Clone(l.fixed)
	for _, n := range l.names {
		for _, a := range n.addrs {
			for _, port := range n.ports {
				all = append(all, netip.AddrPortFrom(a, port))
			}
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	all = slices.Compact(all)
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = a.String() // an IPv6 address in brackets, as Java reads it
	}
	text := strings.Join(texts, ";")
	l.text.Store(&text)
	l.listed.Store(int64(len(all)))
}
