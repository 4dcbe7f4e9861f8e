package eventbridge

import (
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

// encode returns an event's Detail. An error says that the kind is not known
// here, which is a fault of this program.
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
	return json.Marshal(d)
}

// id names an event: one revision may tell several things of several replicas.
// An event that raised none is named by its moment.
func id(e core.Event) string {
	name := strconv.FormatUint(uint64(e.Revision), 10)
	if e.Revision == 0 {
		name = strconv.FormatInt(e.At.UnixMilli(), 10) + "ms"
	}
	name += "/" + string(e.Kind)
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
