package parity

import (
	"context"
	"fmt"

	"signpost/internal/remoting"
)

// query is one question of an observation.
type query struct {
	about string
	cmd   remoting.Command
}

// queries are everything that can be asked of what a sequence may have
// changed. Codes of 5.x are left out for a 4.x server.
func (n names) queries(old bool) []query {
	var q []query
	ask := func(about string, code remoting.Code, keysAndValues ...string) {
		q = append(q, query{about, remoting.Command{Code: code, ExtFields: fields(keysAndValues...)}})
	}
	for i := range Topics {
		ask(fmt.Sprintf("105 t%d", i), remoting.GetRouteInfoByTopic, "topic", n.topic(i))
		if !old {
			ask(fmt.Sprintf("105 t%d in zone1", i), remoting.GetRouteInfoByTopic, "topic", n.topic(i), "__ZONE_MODE", "true", "__ZONE_NAME", "zone1")
		}
	}
	ask("106", remoting.GetBrokerClusterInfo)
	ask("206", remoting.GetAllTopicListFromNameServer)
	for i := range Clusters {
		ask(fmt.Sprintf("224 c%d", i), remoting.GetTopicsByCluster, "cluster", n.cluster(i))
	}
	ask("304", remoting.GetSystemTopicListFromNameServer)
	ask("311", remoting.GetUnitTopicList)
	ask("312", remoting.GetHasUnitSubTopicList)
	ask("313", remoting.GetHasUnitSubUnunitTopicList)
	if !old {
		for i := range Brokers {
			ask(fmt.Sprintf("901 b%d", i), remoting.GetBrokerMemberGroup, "clusterName", n.cluster(0), "brokerName", n.broker(i))
		}
	}
	for i := range Namespaces {
		ask(fmt.Sprintf("219 n%d", i), remoting.GetKVListByNamespace, "namespace", n.namespace(i))
		for k := range Keys {
			ask(fmt.Sprintf("101 n%d k%d", i, k), remoting.GetKVConfig, "namespace", n.namespace(i), "key", n.key(i, k))
		}
	}
	return q
}

// observe asks everything at once.
func (s *Server) observe(ctx context.Context, n names, queries []query) (Facts, error) {
	cmds := make([]remoting.Command, len(queries))
	for i, q := range queries {
		cmds[i] = q.cmd
		cmds[i].Version = s.version
	}
	answers, err := s.roundTrip(ctx, s.asideConn, cmds)
	if err != nil {
		return nil, err
	}
	f := Facts{}
	for i, q := range queries {
		if err := f.addAnswer(q.about, n, cmds[i], answers[i]); err != nil {
			return nil, err
		}
	}
	return f, nil
}
