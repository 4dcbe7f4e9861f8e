package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// WipeWrite takes the write permission from a broker's topics and returns how
// many it has.
func (c *Client) WipeWrite(ctx context.Context, broker string) (int, Meta, error) {
	return c.permission(ctx, "wipeWrite", http.MethodDelete, broker)
}

// AddWrite makes a broker's topics readable and writable and returns how many
// it has.
func (c *Client) AddWrite(ctx context.Context, broker string) (int, Meta, error) {
	return c.permission(ctx, "addWrite", http.MethodPut, broker)
}

func (c *Client) permission(ctx context.Context, call, method, broker string) (count int, meta Meta, err error) {
	err = c.do(ctx, request{
		call: call, method: method, path: "/v1/admin/write-permission", query: url.Values{"broker": {broker}},
		patience: slow, status: http.StatusOK, most: smallAnswer,
	}, func(a answer) error {
		var said struct {
			Added *int `json:"addTopicCount"`
			Wiped *int `json:"wipeTopicCount"`
		}
		if err := unmarshal(a.body, &said); err != nil {
			return err
		}
		n := said.Added
		if method == http.MethodDelete {
			n = said.Wiped
		}
		if n == nil || *n < 0 {
			return errors.New("it does not say how many topics there are")
		}
		count, meta = *n, a.meta
		return nil
	})
	return count, meta, err
}

// DeleteTopic deletes a topic from one cluster or, with "", from all.
func (c *Client) DeleteTopic(ctx context.Context, topic, cluster string) (Meta, error) {
	query := url.Values{"topic": {topic}}
	if cluster != "" {
		query.Set("cluster", cluster)
	}
	return c.tell(ctx, request{call: "deleteTopic", method: http.MethodDelete, path: "/v1/admin/topic", query: query})
}

// PutKV sets a value.
func (c *Client) PutKV(ctx context.Context, namespace, key, value string) (Meta, error) {
	said := struct {
		Value string `json:"value"`
	}{value}
	return c.tell(ctx, request{
		call: "putKV", method: http.MethodPut, path: "/v1/admin/kv", query: url.Values{"namespace": {namespace}, "key": {key}},
		body: func(time.Time) ([]byte, string) { return c.encode(said) },
	})
}

// DeleteKV removes a value. A key that is not there is no error.
func (c *Client) DeleteKV(ctx context.Context, namespace, key string) (Meta, error) {
	return c.tell(ctx, request{
		call: "deleteKV", method: http.MethodDelete, path: "/v1/admin/kv", query: url.Values{"namespace": {namespace}, "key": {key}},
	})
}
