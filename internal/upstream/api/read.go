package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"signpost/core"
	"signpost/internal/wire"
)

// Routes asks for several routes. Their times count from when the API was
// asked, and are those for one who hears of all sessions by beats of his own.
func (c *Client) Routes(ctx context.Context, q RoutesQuery) (Routes, error) {
	if err := fits(len(q.Topics), "topics"); err != nil {
		return Routes{}, err
	}
	type known struct {
		Topic string `json:"topic"`
		ETag  string `json:"etag,omitempty"`
	}
	asked := struct {
		Revision   uint64  `json:"revision"`
		Consistent bool    `json:"consistent"`
		Sessions   bool    `json:"sessions"`
		Topics     []known `json:"topics"`
	}{uint64(q.Revision), q.Consistent, true, make([]known, len(q.Topics))}
	for i, k := range q.Topics {
		if err := CheckName("topic", k.Topic); err != nil {
			return Routes{}, err
		}
		asked.Topics[i] = known(k)
	}
	var routes Routes
	err := c.do(ctx, request{
		call: "getRoutes", method: http.MethodPost, path: "/v1/read/routes",
		body:     func(time.Time) ([]byte, string) { return c.encode(asked) },
		patience: quick + time.Duration(len(q.Topics))*perItem, status: http.StatusOK, most: largeAnswer,
	}, func(a answer) (err error) {
		routes, err = readRoutes(a, q.Topics)
		return err
	})
	return routes, err
}

var topicKinds = map[core.TopicKind]string{
	core.AllTopics: "", core.UnitTopics: "unit", core.UnitSubTopics: "unit-sub", core.UnitSubNotUnit: "unit-sub-ununit",
}

// Topics lists the topics of a kind, sorted: of one cluster or, with "", of all.
func (c *Client) Topics(ctx context.Context, kind core.TopicKind, cluster string) (names []string, meta Meta, err error) {
	query := url.Values{}
	if k := topicKinds[kind]; k != "" {
		query.Set("kind", k)
	}
	if cluster != "" {
		query.Set("cluster", cluster)
	}
	err = c.read(ctx, listing, "getTopics", "/v1/read/topics", query, func(a answer) error {
		meta = a.meta
		names, _, err = wire.DecodeTopicList(a.body)
		return err
	})
	return names, meta, err
}

// Clusters lists the living groups, sorted by name. Their replicas have ids and
// addresses only.
func (c *Client) Clusters(ctx context.Context) (groups []core.Group, meta Meta, err error) {
	err = c.read(ctx, listing, "getClusters", "/v1/read/clusters", nil, func(a answer) error {
		meta = a.meta
		groups, _, err = wire.DecodeClusterInfo(a.body)
		return err
	})
	return groups, meta, err
}

// Group returns a group as it is now. core.ErrNotFound if no broker of it lives.
func (c *Client) Group(ctx context.Context, name string) (group Group, meta Meta, err error) {
	err = c.read(ctx, quick, "getGroup", "/v1/read/group", url.Values{"broker": {name}}, func(a answer) error {
		meta = a.meta
		var said groupJSON
		if err := unmarshal(a.body, &said); err != nil {
			return err
		}
		if group, err = said.group(name); err != nil {
			return err
		}
		group.ValidFor = a.meta.ValidFor
		return nil
	})
	return group, meta, err
}

// Leases lists what a session holds, sorted.
func (c *Client) Leases(ctx context.Context, session string) (held []core.Held, err error) {
	err = c.read(ctx, listing, "getLeases", "/v1/read/leases", url.Values{"session": {session}}, func(a answer) error {
		held, err = readLeases(a)
		return err
	})
	return held, err
}

// KV returns a namespace. core.ErrNotFound if there is no such.
func (c *Client) KV(ctx context.Context, namespace string) (table map[string]string, meta Meta, err error) {
	err = c.read(ctx, quick, "getKV", "/v1/read/kv", url.Values{"namespace": {namespace}}, func(a answer) error {
		meta = a.meta
		table, err = wire.DecodeKVTable(a.body)
		return err
	})
	return table, meta, err
}

// read makes a call of the lists.
func (c *Client) read(ctx context.Context, patience time.Duration, call, path string, query url.Values, read func(answer) error) error {
	return c.do(ctx, request{
		call: call, method: http.MethodGet, path: path, query: query,
		patience: patience, status: http.StatusOK, most: largeAnswer,
	}, func(a answer) error {
		if !isObject(a.body) || !json.Valid(a.body) { // what reads RocketMQ's JSON takes more than JSON
			return errors.New("it is no JSON object")
		}
		return read(a)
	})
}
