package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signpost/core"
)

// unmarshal reads a JSON object. Members that are not known are passed over: a
// newer API may say more.
func unmarshal(body []byte, v any) error {
	if !isObject(body) {
		return errors.New("it is no JSON object")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode it: %w", err)
	}
	return nil
}

// isObject says whether what is JSON is an object.
func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

type versionJSON struct {
	Counter      int64 `json:"counter"`
	StateVersion int64 `json:"stateVersion"`
	Timestamp    int64 `json:"timestamp"`
}

// groupJSON is a group with its replicas.
type groupJSON struct {
	Cluster      string `json:"cluster"`
	Name         string `json:"brokerName"`
	ActingMaster bool   `json:"enableActingMaster"`
	Zone         string `json:"zoneName"`
	Replicas     []struct {
		ID          int64       `json:"brokerId"`
		Addr        string      `json:"brokerAddr"`
		HAAddr      string      `json:"haServerAddr"`
		Timeout     int64       `json:"heartbeatTimeoutMillis"`
		DataVersion versionJSON `json:"dataVersion"`
		Sessions    []string    `json:"sessions"`
		Direct      bool        `json:"direct"`
	} `json:"replicas"`
	ValidFor int64 `json:"validForMillis"`
}

// direct is the Front of leases that no session holds.
const direct = "direct"

// group is what the API says of the group of that name. As in a list of
// clusters, all replicas have the group's word on acting masters and its zone.
func (g groupJSON) group(name string) (Group, error) {
	if g.Name != name {
		return Group{}, fmt.Errorf("it is about %q, not %q", clean(g.Name), clean(name))
	}
	acting := core.ActingMasterOff
	if g.ActingMaster {
		acting = core.ActingMasterOn
	}
	group := Group{Group: core.Group{Name: g.Name, Cluster: g.Cluster}}
	for _, r := range g.Replicas {
		if r.Addr == "" || r.Timeout < 0 || r.Timeout > maxMillis {
			return Group{}, errors.New("a replica in it is none")
		}
		replica := core.Replica{
			ID: r.ID, Addr: r.Addr, HAAddr: r.HAAddr, Zone: g.Zone, Timeout: time.Duration(r.Timeout) * time.Millisecond,
			ActingMaster: acting, DataVersion: core.DataVersion{StateVersion: r.DataVersion.StateVersion, Timestamp: r.DataVersion.Timestamp, Counter: r.DataVersion.Counter},
		}
		if r.Direct {
			replica.Leases = append(replica.Leases, core.Lease{Front: direct})
		}
		for _, s := range r.Sessions {
			replica.Leases = append(replica.Leases, core.Lease{Session: s})
		}
		slices.SortFunc(replica.Leases, func(a, b core.Lease) int { return cmp.Compare(a.Session, b.Session) })
		group.Replicas = append(group.Replicas, replica)
	}
	slices.SortFunc(group.Replicas, func(a, b core.Replica) int { return cmp.Compare(a.ID, b.ID) })
	return group, nil
}

func readRegistered(a answer, broker string) (Registered, error) {
	var said struct {
		MasterAddr string     `json:"masterAddr"`
		HAAddr     string     `json:"haServerAddr"`
		Revision   uint64     `json:"revision"`
		Group      *groupJSON `json:"group"`
	}
	if err := unmarshal(a.body, &said); err != nil {
		return Registered{}, err
	}
	if said.Group == nil {
		return Registered{}, errors.New("it has no group in it: is the API older than this gateway?")
	}
	group, err := said.Group.group(broker)
	if err != nil {
		return Registered{}, err
	}
	group.ValidFor = a.left(said.Group.ValidFor)
	return Registered{
		Meta:       a.meta,
		Registered: core.Registered{MasterAddr: said.MasterAddr, HAAddr: said.HAAddr, Revision: core.Revision(said.Revision)},
		Group:      group,
	}, nil
}

func readSessionHead(a answer) (SessionHead, error) {
	var said struct {
		Revision *uint64 `json:"revision"`
		Complete *bool   `json:"complete"`
		Changes  []struct {
			Revision uint64   `json:"revision"`
			Broker   string   `json:"brokerName"`
			Replicas bool     `json:"replicas"`
			Topics   []string `json:"topics"`
			Many     bool     `json:"many"`
		} `json:"changes"`
		Sessions []struct {
			ID        string `json:"id"`
			Gateway   string `json:"gateway"`
			Age       int64  `json:"ageMillis"`
			Remaining int64  `json:"remainingMillis"`
		} `json:"sessions"`
	}
	if err := unmarshal(a.body, &said); err != nil {
		return SessionHead{}, err
	}
	if said.Revision == nil || said.Complete == nil || said.Sessions == nil {
		return SessionHead{}, errors.New("it is not about a session")
	}
	head := SessionHead{Meta: a.meta, Complete: *said.Complete}
	head.Revision = core.Revision(*said.Revision)
	for _, c := range said.Changes {
		head.Changes = append(head.Changes, core.Change{
			Revision: core.Revision(c.Revision), Broker: c.Broker, Replicas: c.Replicas, Topics: c.Topics, Many: c.Many,
		})
	}
	for _, s := range said.Sessions {
		head.Sessions = append(head.Sessions, SessionLeft{
			ID: s.ID, Gateway: s.Gateway, Remaining: a.left(s.Remaining),
			Age: a.age + time.Duration(min(max(s.Age, 0), maxMillis))*time.Millisecond,
		})
	}
	return head, nil
}

var beatAnswers = map[string]core.BeatAnswer{
	core.BeatOK.String(): core.BeatOK, core.BeatRegister.String(): core.BeatRegister,
	core.BeatGone.String(): core.BeatGone, core.BeatBusy.String(): core.BeatBusy,
}

func readBeatAnswers(a answer, beats []Beat) ([]Confirmed, error) {
	var said struct {
		Answers []string    `json:"answers"`
		Groups  []groupJSON `json:"groups"`
	}
	if err := unmarshal(a.body, &said); err != nil {
		return nil, err
	}
	if len(said.Answers) != len(beats) {
		return nil, fmt.Errorf("it answers %d beats of %d", len(said.Answers), len(beats))
	}
	groups := make(map[string]Group, len(said.Groups))
	for _, g := range said.Groups {
		group, err := g.group(g.Name)
		if err != nil {
			return nil, err
		}
		group.ValidFor = a.left(g.ValidFor)
		groups[g.Name] = group
	}
	confirmed := make([]Confirmed, len(beats))
	for i, b := range beats {
		answer, ok := beatAnswers[said.Answers[i]]
		if !ok {
			return nil, fmt.Errorf("%q is no answer to a beat", clean(said.Answers[i]))
		}
		group, ok := groups[b.Broker]
		if !ok {
			return nil, fmt.Errorf("the group of %q is not in it: is the API older than this gateway?", clean(b.Broker))
		}
		confirmed[i] = Confirmed{Answer: answer, Group: group}
	}
	return confirmed, nil
}

func readRoutes(a answer, asked []KnownRoute) (Routes, error) {
	var said struct {
		Revision *uint64 `json:"revision"`
		Routes   []struct {
			Topic    string          `json:"topic"`
			Status   RouteStatus     `json:"status"`
			ETag     string          `json:"etag"`
			ValidFor int64           `json:"validForMillis"`
			Silent   []string        `json:"silent"`
			Route    json.RawMessage `json:"route"`
		} `json:"routes"`
	}
	if err := unmarshal(a.body, &said); err != nil {
		return Routes{}, err
	}
	if said.Revision == nil || len(said.Routes) != len(asked) {
		return Routes{}, fmt.Errorf("it answers %d topics of %d", len(said.Routes), len(asked))
	}
	routes := Routes{Meta: a.meta, Routes: make([]RouteAnswer, len(asked))}
	routes.Revision = core.Revision(*said.Revision)
	for i, r := range said.Routes {
		one := RouteAnswer{Topic: r.Topic, Status: r.Status, ETag: r.ETag, ValidFor: a.left(r.ValidFor), Silent: r.Silent}
		switch r.Status {
		case RouteChanged:
			if !isObject(r.Route) || r.ETag == "" {
				return Routes{}, fmt.Errorf("the route of %q is none", clean(r.Topic))
			}
			one.Body = r.Route
		case RouteUnchanged:
			if asked[i].ETag == "" || r.ETag != asked[i].ETag {
				return Routes{}, fmt.Errorf("the route of %q is said to be unchanged, and is not known", clean(r.Topic))
			}
		case RouteAbsent, RouteLater:
		default:
			return Routes{}, fmt.Errorf("%q is no answer for a topic", clean(string(r.Status)))
		}
		if r.Topic != asked[i].Topic {
			return Routes{}, fmt.Errorf("it answers %q where %q was asked for", clean(r.Topic), clean(asked[i].Topic))
		}
		routes.Routes[i] = one
	}
	return routes, nil
}

func readLeases(a answer) ([]core.Held, error) {
	var said struct {
		Leases []struct {
			Cluster string `json:"clusterName"`
			Broker  string `json:"brokerName"`
			ID      int64  `json:"brokerId"`
			Addr    string `json:"brokerAddr"`
		} `json:"leases"`
	}
	if err := unmarshal(a.body, &said); err != nil {
		return nil, err
	}
	if said.Leases == nil {
		return nil, errors.New("it has no leases in it")
	}
	held := make([]core.Held, len(said.Leases))
	for i, l := range said.Leases {
		held[i] = core.Held(l)
	}
	return held, nil
}
