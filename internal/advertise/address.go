package advertise

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// String is the endpoint as RocketMQ writes it, an IPv6 address in brackets.
func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(int(e.port))) }

// parseEndpoint reads host:port as brokers register it. Whatever is before the
// last colon is the host, as Java has it, so an IPv6 address needs no brackets.
func parseEndpoint(addr string) (e endpoint, ok bool) {
	i := strings.LastIndexByte(addr, ':')
	if i < 1 {
		return e, false
	}
	port, err := strconv.ParseUint(addr[i+1:], 10, 16)
	if err != nil {
		return e, false
	}
	return endpoint{canonical(addr[:i]), uint16(port)}, true
}

// canonical is the one form in which hosts are compared.
func canonical(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(host)
}

// hostName is what may stand for the name of a host.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?$`)

// numeric is a name that was meant for an IPv4 address: no top domain is a
// number.
var numeric = regexp.MustCompile(`(^|\.)[0-9]+\.?$`)

// readHost reads a host from the file. The error follows it.
func readHost(text string) (string, error) {
	host := canonical(text)
	if ip, err := netip.ParseAddr(host); err == nil {
		switch {
		case ip.Zone() != "":
			return "", errors.New("has a zone, which is one machine's")
		case ip.IsUnspecified(), ip.IsMulticast():
			return "", errors.New("is no address of a host")
		}
		return host, nil
	}
	if !hostName.MatchString(host) || numeric.MatchString(host) {
		return "", errors.New("is no host name and no IP address")
	}
	return host, nil
}

// readEndpoint reads host:port from the file.
func readEndpoint(text string) (endpoint, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return endpoint{}, errors.New("is not host:port; an IPv6 address stands in brackets")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return endpoint{}, errors.New("has no port from 1 to 65535")
	}
	host, err = readHost(host)
	return endpoint{host, uint16(n)}, err
}

// readNetwork reads address/bits from the file.
func readNetwork(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, errors.New("is no network, address/bits")
	case p.Addr().Is4In6():
		return p, errors.New("is an IPv4 network written as IPv6")
	case p != p.Masked():
		return p, errors.New("has bits beyond its prefix; the network is " + p.Masked().String())
	}
	return p, nil
}
