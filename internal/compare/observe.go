package compare

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// clusters asks which brokers there are.
func (v *observer) clusters(ctx context.Context) error {
	answer, err := v.client.ask(ctx, remoting.GetBrokerClusterInfo, nil)
	if err != nil {
		return err
	}
	if answer.Code != remoting.Success {
		return refusal(answer)
	}
	groups, clusters, err := wire.DecodeClusterInfo(answer.Body)
	if err != nil {
		return err
	}
	for _, g := range groups {
		v.brokers[g.Name] = struct{}{}
		about := subject{kind: broker, name: g.Name}
		v.facts.add(about, "", "cluster", g.Cluster)
		v.facts.add(about, "", "acting master", onlyTrue(g.EnableActingMaster()))
		v.facts.add(about, "", "zone", g.Zone())
		for _, r := range g.Replicas {
			v.facts.add(about, "", "address of "+strconv.FormatInt(r.ID, 10), r.Addr)
		}
	}
	for name, brokers := range clusters {
		for _, b := range brokers {
			v.facts.add(subject{kind: cluster, name: name}, "", b, listed)
		}
	}
	return nil
}

// topicList asks for one of the lists. One that is refused is not compared.
func (v *observer) topicList(ctx context.Context, name string, code remoting.Code) error {
	answer, err := v.client.ask(ctx, code, nil)
	if err != nil {
		return err
	}
	if answer.Code != remoting.Success {
		v.refused[name] = struct{}{}
		return nil
	}
	names, _, err := wire.DecodeTopicList(answer.Body) // the address is any broker's
	if err != nil {
		return err
	}
	for _, topic := range names {
		if name == allTopics {
			v.topics[topic] = struct{}{}
			v.facts.add(subject{kind: topicKind, name: topic}, "", listed, listed)
		} else {
			v.facts.add(subject{kind: list, name: name}, "", topic, listed)
		}
	}
	return nil
}

// orderConfiguration asks for the order topics.
func (v *observer) orderConfiguration(ctx context.Context) error {
	answer, err := v.client.ask(ctx, remoting.GetKVListByNamespace, orderFields)
	switch {
	case err != nil:
		return err
	case answer.Code == remoting.QueryNotFound:
		return nil
	case answer.Code != remoting.Success:
		return refusal(answer)
	}
	table, err := wire.DecodeKVTable(answer.Body)
	if err != nil {
		return err
	}
	for topic, conf := range table {
		v.facts.add(subject{kind: order, name: topic}, "", "", conf)
	}
	return nil
}

// route asks where a topic is. That it is nowhere is an answer too.
func (v *observer) route(ctx context.Context, topic string) error {
	answer, err := v.client.ask(ctx, remoting.GetRouteInfoByTopic, remoting.Fields{{Key: "topic", Value: topic}})
	switch {
	case err != nil:
		return err
	case answer.Code == remoting.TopicNotExist:
		return nil
	case answer.Code != remoting.Success:
		return refusal(answer)
	}
	r, err := wire.DecodeRoute(topic, answer.Body)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.facts.route(r)
	return nil
}

// route adds what a route says.
func (f facts) route(r *core.Route) {
	about := subject{kind: topicKind, name: r.Topic}
	for _, b := range r.Brokers {
		f.add(about, b.Name, "cluster", b.Cluster)
		f.add(about, b.Name, "acting master", onlyTrue(b.EnableActingMaster))
		f.add(about, b.Name, "zone", b.Zone)
		for _, a := range b.Addrs {
			f.add(about, b.Name, "address of "+strconv.FormatInt(a.ID, 10), a.Addr)
		}
	}
	for _, row := range r.Rows {
		q := row.Queues
		f.add(about, row.Broker, "read queues", number(q.Read))
		f.add(about, row.Broker, "write queues", number(q.Write))
		f.add(about, row.Broker, "permission", number(q.Perm))
		f.add(about, row.Broker, "system flag", number(q.SysFlag))
		if m := row.Mapping; m != nil {
			f.add(about, row.Broker, "static queues", fmt.Sprintf("%d, epoch %d, dirty %t, scope %q, %v", m.TotalQueues, m.Epoch, m.Dirty, m.Scope, m.Current))
		}
	}
	for _, filter := range r.Filters {
		f.add(about, "", "filter servers at "+filter.Addr, strings.Join(filter.Servers, " "))
	}
	if r.HasOrderConf {
		f.add(about, "", "order configuration", strconv.Quote(r.OrderConf))
	}
}

func number(n int32) string { return strconv.Itoa(int(n)) }

// onlyTrue is nothing for what is false: releases before 5.0 do not say it.
func onlyTrue(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// refusal is the error for an answer that is none.
func refusal(answer remoting.Command) error {
	return fmt.Errorf("answered %v: %.200q", answer.Code, answer.Remark)
}
