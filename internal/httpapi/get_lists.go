package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"signpost/core"
)

// live is a list of groups with how long it holds.
type live struct {
	groups   []core.Group
	sessions core.Sessions
	revision core.Revision
	now      time.Time
}

// liveGroups reads the groups, and before them the revision and the sessions.
func (s *Server) liveGroups(ctx context.Context) (l live, err error) {
	if l, err = s.liveHead(ctx); err == nil {
		l.groups, err = s.o.Read.Groups(ctx, l.now)
	}
	return l, err
}

func (s *Server) liveHead(ctx context.Context) (live, error) {
	head, err := s.o.Read.Head(ctx, core.Revision(s.known.Load()), false)
	if err != nil {
		return live{}, fmt.Errorf("read revision: %w", err)
	}
	s.saw(head)
	return live{sessions: head.Sessions, revision: head.Revision, now: s.o.Now()}, nil
}

// answer encodes v, which holds until the first lease of the groups could run out.
func (l live) answer(v any) (answer, error) {
	valid := validAtMost
	for _, g := range l.groups {
		for _, r := range g.Replicas {
			valid = min(valid, validFor(l.now, r.Deadline(l.sessions, l.now)))
		}
	}
	a, err := jsonAnswer(v)
	return a.at(l.revision, valid), err
}

type topicList struct {
	BrokerAddr string   `json:"brokerAddr,omitempty"` // kind=system: of some broker
	TopicList  []string `json:"topicList"`
}

var topicKinds = map[string]core.TopicKind{
	"": core.AllTopics, "unit": core.UnitTopics, "unit-sub": core.UnitSubTopics, "unit-sub-ununit": core.UnitSubNotUnit,
}

// kindSystem is a list of what are no topics of any broker, as request code
// 304 has it: the names of clusters and brokers.
const kindSystem = "system"

// getTopics answers GET /v1/read/topics.
func (s *Server) getTopics(ctx context.Context, req *request) (answer, error) {
	cluster, which := req.params["cluster"], req.params["kind"]
	kind, ok := topicKinds[which]
	if !ok && which != kindSystem {
		return answer{}, &core.FieldError{Field: "kind", Reason: "is none of system, unit, unit-sub and unit-sub-ununit"}
	}
	if which == kindSystem {
		l, err := s.liveGroups(ctx)
		if err != nil {
			return answer{}, err
		}
		if cluster != "" {
			l.groups = slices.DeleteFunc(slices.Clone(l.groups), func(g core.Group) bool { return g.Cluster != cluster })
		}
		return l.answer(systemTopics(l.groups))
	}
	revision, err := s.readRevision(ctx, 0, false)
	if err != nil {
		return answer{}, err
	}
	now := s.o.Now()
	names, until, err := s.o.Read.Topics(ctx, now, kind, cluster)
	if err != nil {
		return answer{}, err
	}
	valid := validAtMost
	if !until.IsZero() {
		valid = validFor(now, until)
	}
	a, err := jsonAnswer(topicList{TopicList: names})
	return a.at(revision, valid), err
}

func systemTopics(groups []core.Group) topicList {
	list := topicList{TopicList: []string{}}
	for _, g := range groups {
		list.TopicList = append(list.TopicList, g.Cluster, g.Name)
		if first, ok := g.First(); ok && list.BrokerAddr == "" {
			list.BrokerAddr = first.Addr
		}
	}
	slices.Sort(list.TopicList)
	list.TopicList = slices.Compact(list.TopicList)
	return list
}

type clusterInfo struct {
	BrokerAddrTable  map[string]brokerData `json:"brokerAddrTable"`
	ClusterAddrTable map[string][]string   `json:"clusterAddrTable"`
}

type brokerData struct {
	Cluster            string            `json:"cluster"`
	BrokerName         string            `json:"brokerName"`
	BrokerAddrs        map[string]string `json:"brokerAddrs"` // by brokerId
	EnableActingMaster bool              `json:"enableActingMaster"`
	ZoneName           string            `json:"zoneName,omitempty"`
}

func brokerDataOf(g core.Group) brokerData {
	b := brokerData{
		Cluster: g.Cluster, BrokerName: g.Name, BrokerAddrs: map[string]string{},
		EnableActingMaster: g.EnableActingMaster(), ZoneName: g.Zone(),
	}
	for _, r := range g.Replicas {
		b.BrokerAddrs[strconv.FormatInt(r.ID, 10)] = r.Addr
	}
	return b
}

// getClusters answers GET /v1/read/clusters: every cluster with its brokers.
func (s *Server) getClusters(ctx context.Context, _ *request) (answer, error) {
	l, err := s.liveGroups(ctx)
	if err != nil {
		return answer{}, err
	}
	info := clusterInfo{BrokerAddrTable: map[string]brokerData{}, ClusterAddrTable: map[string][]string{}}
	for _, g := range l.groups { // sorted
		info.BrokerAddrTable[g.Name] = brokerDataOf(g)
		info.ClusterAddrTable[g.Cluster] = append(info.ClusterAddrTable[g.Cluster], g.Name)
	}
	return l.answer(info)
}

type groupReply struct {
	brokerData
	Replicas []replicaReply `json:"replicas"` // sorted by brokerId
}

// toldGroup is a group as a gateway is told of it with the answer to what it
// said: it holds for so long, as a route does for one who follows the sessions.
type toldGroup struct {
	groupReply
	ValidFor int64 `json:"validForMillis"`
}

type replicaReply struct {
	BrokerID               int64       `json:"brokerId"`
	BrokerAddr             string      `json:"brokerAddr"`
	HAServerAddr           string      `json:"haServerAddr,omitempty"`
	HeartbeatTimeoutMillis int64       `json:"heartbeatTimeoutMillis"`
	RemainingMillis        int64       `json:"remainingMillis"` // until its last lease could run out
	DataVersion            versionJSON `json:"dataVersion"`
	Sessions               []string    `json:"sessions"` // that hold it
	Direct                 bool        `json:"direct"`   // it holds itself by its own heartbeats
}

type versionJSON struct {
	Counter      int64 `json:"counter"`
	StateVersion int64 `json:"stateVersion"`
	Timestamp    int64 `json:"timestamp"`
}

// getGroup answers GET /v1/read/group: one broker with its replicas.
func (s *Server) getGroup(ctx context.Context, req *request) (answer, error) {
	broker, err := req.params.need("broker")
	if err != nil {
		return answer{}, err
	}
	l, err := s.liveHead(ctx)
	if err != nil {
		return answer{}, err
	}
	g, err := s.o.Read.Group(ctx, l.now, broker)
	if cluster := req.params["cluster"]; err == nil && cluster != "" && cluster != g.Cluster {
		err = fmt.Errorf("broker %s in cluster %s: %w", broker, cluster, core.ErrNotFound)
	}
	if err != nil {
		return answer{}, err
	}
	l.groups = []core.Group{g}
	return l.answer(groupReplyOf(g, l.sessions, l.now))
}

func groupReplyOf(g core.Group, sessions core.Sessions, now time.Time) groupReply {
	reply := groupReply{brokerData: brokerDataOf(g), Replicas: []replicaReply{}}
	for _, r := range g.Replicas {
		one := replicaReply{
			BrokerID: r.ID, BrokerAddr: r.Addr, HAServerAddr: r.HAAddr, HeartbeatTimeoutMillis: r.Timeout.Milliseconds(),
			RemainingMillis: max(0, r.Deadline(sessions, now).Sub(now).Milliseconds()),
			DataVersion:     versionJSON{r.DataVersion.Counter, r.DataVersion.StateVersion, r.DataVersion.Timestamp},
			Sessions:        []string{},
		}
		for _, lease := range r.Leases {
			if lease.Session == "" {
				one.Direct = true
			} else {
				one.Sessions = append(one.Sessions, lease.Session)
			}
		}
		reply.Replicas = append(reply.Replicas, one)
	}
	return reply
}

type leaseList struct {
	Leases []heldReply `json:"leases"`
}

type heldReply struct {
	ClusterName string `json:"clusterName"`
	BrokerName  string `json:"brokerName"`
	BrokerID    int64  `json:"brokerId"`
	BrokerAddr  string `json:"brokerAddr"`
}

// getLeases answers GET /v1/read/leases: what a session holds, so that its
// gateway can drop what it holds no more (rule 12). No revision speaks for it.
func (s *Server) getLeases(ctx context.Context, req *request) (answer, error) {
	session, err := req.params.token("session")
	if err != nil {
		return answer{}, err
	}
	revision, err := s.readRevision(ctx, 0, false)
	if err != nil {
		return answer{}, err
	}
	held, err := s.o.Read.Leases(ctx, session)
	if err != nil {
		return answer{}, err
	}
	reply := leaseList{Leases: []heldReply{}}
	for _, h := range held {
		reply.Leases = append(reply.Leases, heldReply{h.Cluster, h.Broker, h.ID, h.Addr})
	}
	a, err := jsonAnswer(reply)
	return a.at(revision, 0), err
}
