package eventbridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signpost/core"
)

// detailVersion is raised when a member changes its meaning or goes. Members
// may be added without.
const detailVersion = 1

// detail is what every event says. Schemas in infra/events say which members
// which kind has.
type detail struct {
	Version int `json:"version"`
	// ID is the same whenever the same event comes again.
	ID string `json:"id"`
	At string `json:"at"` // RFC 3339, UTC, milliseconds

	Cluster string `json:"clusterName,omitempty"`
	Broker  string `json:"brokerName,omitempty"`
	// BrokerID is absent where the event is not about one replica.
	BrokerID *int64 `json:"brokerId,omitempty"`
	Addr     string `json:"brokerAddr,omitempty"`

	// PreviousAddr is where the replica, or the master, was before.
	PreviousAddr string `json:"previousAddr,omitempty"`
	// Refused are the cluster and the address of who was refused the name.
	RefusedCluster string `json:"refusedClusterName,omitempty"`
	RefusedAddr    string `json:"refusedBrokerAddr,omitempty"`
	// Topics are at most 100 of those that changed, TopicCount is how many
	// there were; it is absent if that is not known.
	Topics     []string `json:"topics,omitempty"`
	TopicCount int      `json:"topicCount,omitempty"`
	// Sessions is how many gateways fell silent together.
	Sessions int `json:"sessions,omitempty"`
}

// timeForm is RFC 3339 with the milliseconds that a store keeps.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// maxDetail leaves room for what else counts in an entry. An entry beyond what
// PutEvents takes would never be accepted, nor would what waits behind it.
const maxDetail = maxBytes - 1<<10

// encode returns an event's Detail, with fewer names if they are too long. An
// error says that the kind is not known here, which is a fault of this program.
func encode(e core.Event) ([]byte, error) {
	d := detail{
		Version: detailVersion, ID: id(e), At: e.At.UTC().Format(timeForm),
		Cluster: e.Cluster, Broker: e.Broker, Addr: e.Addr,
	}
	switch e.Kind {
	case core.BrokerRegistered, core.MasterChanged:
		d.BrokerID, d.PreviousAddr = &e.ID, e.OldAddr
	case core.BrokerUnregistered, core.BrokerEvicted:
		d.BrokerID = &e.ID
	case core.TopicRouteChanged:
		d.Addr, d.Topics, d.TopicCount = "", e.Topics, e.Count
	case core.BrokerNameConflict:
		d.BrokerID = &e.ID
		at := strings.LastIndexByte(e.OldAddr, ' ')
		d.RefusedCluster, d.RefusedAddr = e.OldAddr[:max(at, 0)], e.OldAddr[at+1:]
	case core.MassExpiryHeld:
		d.Sessions = e.Count
	default:
		return nil, fmt.Errorf("encode event %s: its kind is not known", e.Kind)
	}
	b, err := marshal(d)
	for err == nil && len(b) > maxDetail && len(d.Topics) > 0 {
		d.Topics = d.Topics[:len(d.Topics)/2]
		b, err = marshal(d)
	}
	return b, err
}

// marshal is json.Marshal without the escapes for HTML, which make names six
// times as long.
func marshal(d detail) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// id names an event. One revision may tell several things of several replicas,
// and the same thing twice: a writer that died before it raised one has left
// its event for the next writer's. So its moment is in the name, too.
func id(e core.Event) string {
	name := fmt.Sprintf("%d/%d/%s", e.Revision, e.At.UnixMilli(), e.Kind)
	if e.Broker != "" {
		name += "/" + e.Broker + "/" + strconv.FormatInt(e.ID, 10)
	}
	if e.Addr != "" {
		name += "/" + e.Addr
	}
	return name
}

// moment is an entry's time, which PutEvents takes in whole seconds.
func moment(t time.Time) *time.Time { t = t.UTC().Truncate(time.Second); return &t }
