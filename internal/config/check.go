package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// check looks for values that are well formed and still cannot work.
func (ld *loader) check() {
	c := ld.cfg
	ld.require("bindAddress", checkHost(c.Listen.BindAddress))
	if c.Program == Shim {
		ld.checkUpstream()
	} else {
		ld.checkStorage()
	}
	if c.Limits.RegistrationBytes < c.Limits.FrameBytes {
		ld.require("maxRegistrationBytes", fmt.Errorf("is less than maxFrameBytes, %d", c.Limits.FrameBytes))
	}
	for _, addr := range c.Product.NamesrvAddrs {
		if err := checkHostPort(addr); err != nil {
			ld.require("productNamesrvAddr", fmt.Errorf("%w each: %s", err, addr))
		}
	}
	if addr := c.Product.AddressServer; addr != "" {
		ld.require("productAddressServer", checkServer(addr))
	}
	for _, name := range c.Remote.Allow {
		switch k := byName[name]; {
		case k == nil:
			ld.require("allowRemoteConfig", fmt.Errorf("names %s, which is not a key", name))
		case k.protected():
			ld.require("allowRemoteConfig", fmt.Errorf("names %s, which can never be changed from remote", name))
		}
	}
	if c.ACL.Enable && c.ACL.File == "" {
		ld.require("aclEnable", errors.New("needs aclFile"))
	}
	if c.Addresses.Discovery != "" && len(c.Addresses.Servers) == 0 {
		ld.require("discoveryAddr", errors.New("needs discoveryServers"))
	}
	for _, addr := range c.Addresses.Servers {
		if err := checkPeer(addr); err != nil {
			ld.require("discoveryServers", fmt.Errorf("%w each: %s", err, addr))
		}
	}
	if n := len(c.Addresses.Servers); n > maxServers {
		ld.require("discoveryServers", fmt.Errorf("are %d, more than %d", n, maxServers))
	}
	if c.TLS.Mode == TLSEnforcing && !c.TLS.TestMode && (c.TLS.CertPath == "" || c.TLS.KeyPath == "") {
		ld.require("tls.server.mode", errors.New("needs tls.server.certPath and tls.server.keyPath, or nobody could connect"))
	}
}

func (ld *loader) checkStorage() {
	c := ld.cfg
	if c.Storage.KVConfigPath == "" {
		ld.require("kvConfigPath", errors.New("is empty"))
	} else if c.Storage.KVConfigPath == c.Storage.Store.Path {
		ld.require("store", errors.New("is the file of kvConfigPath"))
	}
	if c.Storage.EventBus != "" && c.Storage.Store.Table == "" {
		ld.require("eventBusName", errors.New("goes with store=dynamodb:TABLE only"))
	}
}

func (ld *loader) checkUpstream() {
	u := ld.cfg.Upstream
	if u.Endpoint == "" && !ld.cfg.PrintOnly {
		ld.require("endpoint", errors.New("is missing: the URL of the API, https://..."))
	}
	switch {
	case u.Signing == SigningToken && u.TokenFile == "":
		ld.require("signing", errors.New("needs tokenFile"))
	case u.Signing != SigningToken && u.Signing != SigningAuto && u.TokenFile != "":
		ld.require("tokenFile", fmt.Errorf("does not go with signing=%s, which sends no token", u.Signing))
	}
}

// require adds a fault about the value of a key unless err is nil.
func (ld *loader) require(name string, err error) {
	if err != nil {
		v := ld.cfg.values[name]
		ld.fault(byName[name], v.text, v.source, err)
	}
}

// checkHost reports what is wrong with a host name or IP address.
func checkHost(host string) error {
	if net.ParseIP(host) != nil {
		return nil
	}
	if host == "" || strings.ContainsAny(host, " \t/:@[]") {
		return errors.New("must be a host name or an IP address")
	}
	return nil
}

// maxServers bounds discoveryServers.
const maxServers = 64

// checkPeer reports what is wrong with a host:port that others are to connect to.
func checkPeer(addr string) error {
	if err := checkHostPort(addr); err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(addr) // checked just now
	if checkHost(host) != nil {
		return errors.New("must be host:port")
	}
	if strings.Trim(port, "0") == "" {
		return errors.New("must have a port from 1 to 65535")
	}
	return nil
}

// checkServer reports what is wrong with a host that may have a port.
func checkServer(addr string) error {
	host := addr
	if strings.Contains(addr, ":") {
		if err := checkHostPort(addr); err != nil {
			return err
		}
		host, _, _ = net.SplitHostPort(addr) // checked just now
	}
	return checkHost(host)
}

// Notices are the things worth one line each in the log at start: keys that
// are set but mean nothing here, names nobody knows, settings that defeat each
// other.
func (c *Config) Notices() []string {
	var out []string
	for _, k := range table {
		// ROCKETMQ_HOME is in the environment of every RocketMQ installation.
		if k.meansNothing(c.Program) && c.values[k.Name].differs() && !c.implied(k.Name) {
			out = append(out, k.Name+" has no meaning here: "+k.why())
		}
		if k.Stack != "" && c.Program == Shim && c.values[k.Name].differs() {
			out = append(out, fmt.Sprintf("%s is set here, but it is the API that makes routes: its stack's parameter %s counts, and has to say the same", k.Name, k.Stack))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.extra)) {
		out = append(out, fmt.Sprintf("%s in %s is not a key of this server: kept, and ignored", name, c.File))
	}
	for _, name := range c.tlsExtra {
		out = append(out, fmt.Sprintf("%s in %s is not read from there: ignored", name, c.TLS.ConfigFile))
	}
	for _, name := range c.ignored {
		out = append(out, name+" in the environment names no key: ignored")
	}
	return append(out, c.conflicts()...)
}

// implied reports whether a key has its value from something that nobody set
// for its sake.
func (c *Config) implied(name string) bool {
	return name == "configStorePath" && c.values[name].text == c.File || c.values[name].source == "environment "+envRocketmqHome
}

// conflicts are the notices about settings that defeat each other.
func (c *Config) conflicts() []string {
	var out []string
	files := c.TLS.CertPath != "" || c.TLS.KeyPath != ""
	switch {
	case c.TLS.Mode == TLSDisabled:
	case c.TLS.TestMode && files:
		out = append(out, "tls.test.mode.enable is true: tls.server.certPath and tls.server.keyPath are ignored, as Java does")
	case !c.TLS.TestMode && (c.TLS.CertPath == "" || c.TLS.KeyPath == ""):
		out = append(out, "tls.server.certPath or tls.server.keyPath is not set: connections with TLS are closed")
	}
	if p := c.Product; p.ClusterTest && len(p.NamesrvAddrs) == 0 && p.AddressServer == "" {
		out = append(out, "clusterTest is true, but neither productNamesrvAddr nor productAddressServer is set: nobody is asked")
	}
	if c.Program == Shim && c.Upstream.Signing == SigningNone {
		out = append(out, "signing is none: the API has to take calls from anybody who reaches it")
	}
	if c.ACL.File != "" && !c.ACL.Enable {
		out = append(out, "aclFile is set, but aclEnable is false: everybody may do everything")
	}
	if c.ACL.Enable && c.Listen.HTTPAddr != "" && c.Program == Namesrv {
		out = append(out, "aclEnable is about listenPort: who reaches httpAddr may do everything there")
	}
	if len(c.Addresses.Servers) > 0 && c.Addresses.Discovery == "" {
		out = append(out, "discoveryServers is set, but discoveryAddr is not: nobody is told")
	}
	if c.Listen.Pprof && c.Listen.HTTPAddr == "" {
		out = append(out, "pprof is true, but httpAddr is not set: it is not served")
	}
	return out
}
