package wire

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"signpost/core"
)

// AppendClusterInfo appends the answer to a cluster query (request code 106).
// It has the groups as they are given, sorted by name: whoever is not alive is
// for the caller to leave out. The form is Plain for every client, as in Java.
func AppendClusterInfo(dst []byte, groups []core.Group) []byte {
	groups = slices.SortedFunc(slices.Values(groups), func(a, b core.Group) int { return cmp.Compare(a.Name, b.Name) })
	clusters := map[string][]string{}
	dst = append(dst, `{"brokerAddrTable":{`...)
	for i, g := range groups {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, g.Name, Plain)
		dst = append(dst, `:{"brokerAddrs":{`...)
		dst = appendReplicas(dst, g.Replicas)
		dst = appendBrokerEnd(dst, g.Name, g.Cluster, g.EnableActingMaster(), g.Zone(), Plain)
		clusters[g.Cluster] = append(clusters[g.Cluster], g.Name)
	}
	dst = append(dst, `},"clusterAddrTable":{`...)
	for i, name := range slices.Sorted(maps.Keys(clusters)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name, Plain)
		dst = append(dst, ':')
		dst = appendStrings(dst, clusters[name], Plain)
	}
	return append(dst, '}', '}')
}

// appendReplicas appends what is between the braces of brokerAddrs.
func appendReplicas(dst []byte, replicas []core.Replica) []byte {
	for i := range replicas {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendKey(dst, replicas[i].ID, Plain)
		dst = appendString(dst, replicas[i].Addr, Plain)
	}
	return dst
}

// AppendBrokerMemberGroup appends the answer to a query for the replicas of a
// broker (request code 901). An unknown broker has none; the names are the
// request's; one that it does not have is left out.
func AppendBrokerMemberGroup(dst []byte, cluster, broker string, g core.Group) []byte {
	dst = append(dst, `{"brokerMemberGroup":{"brokerAddrs":{`...)
	dst = appendReplicas(dst, g.Replicas)
	dst = append(dst, '}')
	if broker != "" {
		dst = append(dst, `,"brokerName":`...)
		dst = appendString(dst, broker, Plain)
	}
	if cluster != "" {
		dst = append(dst, `,"cluster":`...)
		dst = appendString(dst, cluster, Plain)
	}
	return append(dst, '}', '}')
}

// DecodeClusterInfo reads the answer to a cluster query: the groups sorted by
// name, and which names each cluster lists, sorted. Java lists a name in a
// second cluster if two clusters use it, while the group has only the first.
func DecodeClusterInfo(body []byte) (groups []core.Group, clusters map[string][]string, err error) {
	s := newScanner(body)
	clusters = map[string][]string{}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		switch string(name) {
		case "brokerAddrTable":
			groups = brokerAddrTable(s)
		case "clusterAddrTable":
			clusterAddrTable(s, clusters)
		default:
			s.skip()
		}
	}
	if err := s.end(); err != nil {
		return nil, nil, fmt.Errorf("cluster info: %w", err)
	}
	slices.SortStableFunc(groups, func(a, b core.Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups, clusters, nil
}

func brokerAddrTable(s *scanner) (groups []core.Group) {
	if s.null() {
		return nil
	}
	s.object()
	for _, ok := s.member(); ok; _, ok = s.member() {
		if len(groups) == maxBrokers {
			s.limit("brokers", maxBrokers)
			break
		}
		groups = append(groups, brokerData(s).Group())
	}
	return groups
}

func clusterAddrTable(s *scanner, clusters map[string][]string) {
	if s.null() {
		return
	}
	s.object()
	for name, ok := s.member(); ok; name, ok = s.member() {
		if len(clusters) == maxBrokers {
			s.limit("clusters", maxBrokers)
			break
		}
		cluster := string(name)
		names := stringList(s)
		slices.Sort(names)
		clusters[cluster] = names
	}
}
