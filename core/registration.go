package core

import "time"

// Registration is what a broker says of itself (request code 103).
type Registration struct {
	Cluster      string
	Broker       string // brokerName
	ID           int64
	Addr         string
	HAAddr       string
	Zone         string
	Timeout      time.Duration // 0 is DefaultTimeout
	ActingMaster ActingMaster
	Session      string        // the gateway session that vouches for it; "" for a direct lease
	Owner        string        // who says so; Session has to be his
	Front        string        // whose direct lease it is, see Lease
	Clusters     []string      // that the caller may write; nil is all
	Age          time.Duration // how long ago it was said

	// Digest covers what the broker says of itself, from Cluster to
	// ActingMaster, and the body. A
	// digest equal to the last accepted one's is an unchanged registration,
	// and Content is not called. 0 is always heard in full.
	Digest uint64
	// Content decodes the body. It is called at most once; its error is
	// returned before anything is changed.
	Content func() (Content, error)
}

// Content is the body of a registration.
type Content struct {
	DataVersion DataVersion
	// Topics, sorted by name or not, with no name twice. They are merged into
	// the broker's set: a split registration is not marked on the wire (rule 8).
	Topics []Topic
	// Mappings are the broker's parts of static topics. The last body of a
	// split registration brings those of all its topics, so a topic may have
	// been named in an earlier body.
	Mappings []*Mapping
	// FilterServers: nil keeps what is known, empty removes it.
	FilterServers []string
	// Whole says that Topics and Mappings are all that the broker has, be they
	// one or none: what they do not name goes.
	Whole bool
}

// Registered answers a registration.
type Registered struct {
	MasterAddr string // to a slave: where its living master is
	HAAddr     string // to a slave: its master's HA address
	Revision   Revision
}

// Beat is a light heartbeat (request codes 322 and 904): a broker's own, or a
// gateway's confirmation of one that it holds.
type Beat struct {
	Cluster     string
	Broker      string
	ID          int64
	HasID       bool // 904 and 322 may come without an id; the address decides then
	Addr        string
	DataVersion *DataVersion // nil does not ask
	Session     string
	Owner       string // who says so; Session has to be his
	Front       string // whose direct lease it is, see Lease
	Age         time.Duration
}

// BeatAnswer tells a gateway what to do about a broker it holds (rule 9).
type BeatAnswer uint8

// The answers to a beat.
const (
	BeatOK       BeatAnswer = iota
	BeatRegister            // not as said here: send the registration again
	BeatGone                // left, taken over or deleted since: wait for the broker's own next registration
	BeatBusy                // another writer is at it: ask again
)

func (a BeatAnswer) String() string {
	return [...]string{"ok", "register", "gone", "busy"}[a]
}

// Departure is a broker that leaves (request code 104), or one lease that ends
// because the connection behind it did.
type Departure struct {
	Cluster string
	Broker  string
	ID      int64
	Addr    string
	Session string
	Owner   string // who says so; Session has to be his
	Front   string // whose direct lease it is, see Lease
	Age     time.Duration
	// LeaseOnly ends one lease (Session's, or Front's direct one); the replica
	// stays while another holds it.
	LeaseOnly bool
}

// Rules are the operator's choices that change what is registered or shown.
// They may change while the Registry works.
type Rules struct {
	OrderMessages              bool // orderMessageEnable: routes carry the topic's order configuration
	ActingMaster               bool // supportActingMaster: a slave is shown as master of a group without one
	DeleteTopicsOnRegistration bool // deleteTopicWithBrokerRegistration
}
