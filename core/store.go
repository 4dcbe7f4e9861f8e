package core

import (
	"context"
	"time"
)

// Revision counts the changes that can alter a route or a list. No heartbeat
// raises it. 0 is "nothing known".
type Revision uint64

// Change is what one step of the revision changed: a group's replicas, some
// of its topics, or both. It invalidates; it does not describe.
type Change struct {
	Revision Revision
	Broker   string   // the group; "" for a topic's order configuration
	Replicas bool     // who is in the group, or a state that counts for all its topics
	Topics   []string // topics whose row of that group, or order configuration, changed
	Many     bool     // more topics than are named
}

func (c Change) empty() bool { return !c.Replicas && !c.Many && len(c.Topics) == 0 }

// Head is where a store stands.
type Head struct {
	Revision Revision
	// Changes are those after the revision that was asked about, oldest
	// first. They are all of them only if Complete: the log is short, and who
	// is too far behind reads everything again.
	Changes  []Change
	Complete bool
	Sessions Sessions
}

// Store keeps the model's state. Every method is atomic by itself and safe for
// concurrent use; nothing spans two calls. Values passed in or handed out are
// never modified by either side. An error that is none of the named ones means
// that the outcome is unknown: every call may be repeated.
//
// core/storetest holds the contract as tests.
type Store interface {
	GroupStore
	TopicStore
	RevisionStore
	KVStore
}

// GroupStore keeps broker groups, lapsed replicas included: judging is the
// Registry's.
type GroupStore interface {
	// Group returns the group, or one with only its Name and Version 0 if there is none.
	Group(ctx context.Context, name string) (Group, error)
	// Groups returns those of the named groups that exist, sorted by name; nil names asks for all.
	Groups(ctx context.Context, names []string) ([]Group, error)
	// PutGroup stores g if the stored Version is still g.Version, and returns
	// it with its new Version. ErrConflict otherwise.
	PutGroup(ctx context.Context, g Group) (Group, error)
	// RemoveGroup removes the group if its Version is still that one.
	// ErrConflict otherwise; a group that is not there is removed already.
	RemoveGroup(ctx context.Context, name string, version uint64) error
	// Renew extends one lease in one conditional write without reading first
	// and returns the group after it. ErrChanged, and nothing is written,
	// unless everything holds that Renewal names.
	Renew(ctx context.Context, now time.Time, r Renewal) (Group, error)
}

// Renewal is a heartbeat that may change nothing but its own lease. It holds
// if the group has a replica with that ID at that Addr in that Cluster, if its
// Digest (unless 0) and DataVersion (unless nil) are these, and if it already
// has that Front's direct lease, which has not run out at now: a beat never
// brings back the dead (rule 4). Said moves forward only.
type Renewal struct {
	Front       string
	Cluster     string
	Broker      string
	ID          int64
	Addr        string
	Digest      uint64
	DataVersion *DataVersion
	Said        time.Time
}

// TopicStore keeps queue rows and each broker's topic set (rule 7: the set
// covers every row that exists, whatever crashed when). Rows of groups that
// are gone stay until the sweeper removes them: judging is the Registry's.
type TopicStore interface {
	// Rows returns the topic's rows sorted by Broker; none is no error.
	Rows(ctx context.Context, topic string) ([]Row, error)
	// TopicSet returns the broker's topics sorted by name; none is no error.
	TopicSet(ctx context.Context, broker string) ([]TopicFlag, error)
	// WriteTopics makes the changes and returns the names of the topics that
	// were really changed, sorted.
	WriteTopics(ctx context.Context, w TopicWrite) (changed []string, err error)
}

// TopicWrite changes a broker's topics. A topic changes whole or not; the
// write as a whole may stop half way, and is finished by repeating it.
type TopicWrite struct {
	Broker  string
	Writer  string   // the writer's token, as in Group.Writer
	Put     []Topic  // added, or replaced where different; a nil Mapping keeps the one that is there
	Remove  []string // removed if there
	Replace bool     // remove every topic that Put does not name, and every mapping that Mappings does not bring
	// Mappings are set on the broker's topics of those names, after Put; on
	// names that it does not have they mean nothing.
	Mappings []*Mapping
}

// RevisionStore keeps the revision with its log, and the sessions beside it.
type RevisionStore interface {
	// Head returns where the store stands and what changed after since, for
	// those who follow. It may be a moment old, but never before since (unless
	// the store has never been there), nor before what this Store itself has
	// written or handed out. fresh asks for what is there now.
	Head(ctx context.Context, since Revision, fresh bool) (Head, error)
	// Sessions returns the sessions as they are now: what decisions rest on.
	Sessions(ctx context.Context) (Sessions, error)
	// Raise appends the changes to the log, each with a revision of its own,
	// and returns the last. When it returns, everything written before is as
	// durable as the store makes it.
	Raise(ctx context.Context, changes []Change) (Revision, error)
	// OpenSession stores a new session. ErrSessionClosed if the id was ever used.
	OpenSession(ctx context.Context, s Session) error
	// BeatSession moves the session's Last forward. ErrSessionClosed unless it
	// is there and alive at now, ErrForbidden if it is another owner's.
	BeatSession(ctx context.Context, id, owner string, now time.Time) error
	// CloseSession closes the session if its last beat is still that one
	// (rule 3). ErrConflict otherwise; closed already is no error.
	CloseSession(ctx context.Context, id string, last time.Time) error
}

// KVStore keeps the operators' configuration, order configuration included.
type KVStore interface {
	// KV returns a namespace; ErrNotFound if it never held anything. A
	// namespace whose last key was deleted is empty, as in Java's KVConfigManager.
	KV(ctx context.Context, namespace string) (map[string]string, error)
	// PutKV stores a value, durably when it returns.
	PutKV(ctx context.Context, namespace, key, value string) error
	// DeleteKV removes a key, durably when it returns; absent is no error.
	DeleteKV(ctx context.Context, namespace, key string) error
}
