// Package config is the configuration of the NameServers, bin/namesrv and
// bin/shim, which share most of it: every key they know,
// where a value may come from, what the value must look like, and what of it
// an administrator may change while the server runs.
//
// Everything is derived from one table ([Keys]): the flags, the environment
// variables, the help text, the README's table, the answer to request code 319
// and the rules of request code 318.
//
// A value comes from, later ones winning: the default; the Java properties
// file given with -c; the TLS properties file named by tls.config.file (tls.*
// keys only, not tls.server.mode); the environment; a flag. An operator's
// properties file for the Java NameServer works as it is: keys that mean
// nothing here, or to the other program only, are accepted and said so once ([Config.Notices]), unknown ones
// are kept and listed. Java system properties are not read: their names
// (tls.server.mode and its like) are keys here.
package config

import (
	"log/slog"
	"maps"
	"net"
	"strconv"
	"time"
)

// Config is one whole, valid configuration. It is not changed once [Load] or
// [Live.Update] has returned it, so it may be read from many goroutines.
type Config struct {
	// Program is the one that is configured.
	Program Program
	// File is the path given with -c, or empty.
	File string
	// PrintOnly says that -p was given: print [Config.List] and stop.
	PrintOnly bool

	Listen    Listen
	Rules     Rules
	Storage   Storage
	Upstream  Upstream
	TLS       TLS
	ACL       ACL
	Addresses Addresses
	Limits    Limits
	Product   Product
	Remote    Remote
	Shutdown  Shutdown
	Log       Log

	values   map[string]value  // every key of the table, secrets masked
	extra    map[string]string // keys of the file that the table does not know, likewise
	ignored  []string          // SIGNPOST_* variables that name no key, sorted
	tlsExtra []string          // keys of the TLS file that are not read from there, sorted
}

// Listen says where the server listens and when it gives a connection up.
type Listen struct {
	BindAddress string        // host name, IPv4 or IPv6; 0.0.0.0 is every interface
	Port        int           // 0 lets the system choose
	IdleTimeout time.Duration // a connection without traffic for so long is closed
	HTTPAddr    string        // host:port of the HTTP API, health, metrics and pprof; empty is off
	Pprof       bool          // serve /debug/pprof there
}

// Address is the address to listen on, as [net.Listen] takes it.
func (l Listen) Address() string {
	return net.JoinHostPort(l.BindAddress, strconv.Itoa(l.Port))
}

// Rules are the switches of the route model, named as in Java's NamesrvConfig.
type Rules struct {
	OrderMessageEnable                bool
	ReturnOrderTopicConfigToBroker    bool
	SupportActingMaster               bool
	NotifyMinBrokerIDChanged          bool
	DeleteTopicWithBrokerRegistration bool
	EnableTopicList                   bool // codes 224, 311, 312, 313
	EnableAllTopicList                bool // code 206
	NeedWaitForService                bool
	WaitForService                    time.Duration
	BrokerTimeout                     time.Duration // of a broker that names none itself
	ScanInterval                      time.Duration // of looking for brokers that ran out
	Guard                             time.Duration // see core.Options
}

// Storage says where state is kept.
type Storage struct {
	KVConfigPath string
	Store        Store
	EventBus     string // name or ARN; empty is none
}

// Upstream says how a shim reaches the API, and what it keeps of its answers.
type Upstream struct {
	Endpoint  string // URL
	Region    string // that calls are signed for; empty is the endpoint's, or the SDK's
	Signing   string // one of the words Signing...
	TokenFile string // with a bearer token
	Compress  bool   // large bodies
	Gateway   string // the shim's stable id; empty is one made and kept beside StateFile
	StateFile string // keeps what was known last; empty is none
	Beat      time.Duration
}

// The words of signing.
const (
	SigningAuto  = "auto" // SigningToken with a tokenFile, otherwise SigningIAM
	SigningIAM   = "iam"
	SigningToken = "token"
	SigningNone  = "none"
)

// TLS is what Java reads from its tls.* system properties and TLS file.
type TLS struct {
	Mode        string // TLSDisabled, TLSPermissive or TLSEnforcing
	TestMode    bool   // a self-signed certificate made at start; the files are not read
	ClientAuth  string // ClientAuthNone, ClientAuthOptional or ClientAuthRequire
	KeyPath     string // PEM, PKCS#8
	KeyPassword Secret
	CertPath    string // PEM chain
	AuthClient  bool   // client certificates are verified; otherwise any is taken
	TrustPath   string // PEM; empty means the system's roots
	ConfigFile  string
}

// The words of tls.server.mode and tls.server.need.client.auth.
const (
	TLSDisabled   = "disabled"
	TLSPermissive = "permissive"
	TLSEnforcing  = "enforcing"

	ClientAuthNone     = "none"
	ClientAuthOptional = "optional"
	ClientAuthRequire  = "require"
)

// ACL says whether requests on the TCP port have to come from an account.
type ACL struct {
	Enable bool
	File   string // of accounts; reloaded when it changes
}

// Addresses say where brokers and clients find the NameServers, and at which
// addresses they see brokers.
type Addresses struct {
	Discovery string   // host:port of the address server; empty is off
	Servers   []string // host:port each, that it lists
	MapFile   string   // of networks and what they see; reloaded when it changes; empty is none
}

// Limits bound what a peer can make the server hold or wait for.
type Limits struct {
	FrameBytes            int // any frame but a registration, its length field included
	RegistrationBytes     int // a frame of code 103
	InflatedBytes         int // a compressed registration, inflated
	TopicsPerRegistration int
	Connections           int
	InFlight              int           // requests of one connection not yet answered
	ReadTimeout           time.Duration // from a frame's first byte to its last
	WriteTimeout          time.Duration // for one answer
}

// Product is the product environment asked for topics not found here.
type Product struct {
	ClusterTest   bool
	EnvName       string
	NamesrvAddrs  []string // host:port each; used instead of a lookup
	AddressServer string   // host, or host:port, of the lookup by EnvName; port 8080 unless given
}

// Remote says what request code 318 may change.
type Remote struct {
	Allow     []string // nothing else may be changed; empty refuses 318
	BlackList []string // never, even when allowed
}

// Shutdown says how the server stops.
type Shutdown struct {
	Graceful bool          // answer GO_AWAY (1500) to clients that know it, for Wait
	Wait     time.Duration // how long GO_AWAY is answered before connections close
	Drain    time.Duration // how long requests in flight may still take
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // LogText or LogJSON
}

// The words of logFormat.
const (
	LogText = "text"
	LogJSON = "json"
)

// value is what one key has and where it came from.
type value struct {
	text   string // canonical
	def    string // the canonical default
	source Source
}

// differs reports whether the value is not the default.
func (v value) differs() bool { return v.text != v.def }

// clone is a copy that may be changed until it is handed out.
func (c *Config) clone() *Config {
	next := *c
	next.values = maps.Clone(c.values)
	return &next
}
