package api_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// TestRequests has what each call says to the API.
func TestRequests(t *testing.T) {
	at := func(ago time.Duration) time.Time { return epoch.Add(-ago) }
	version := core.DataVersion{Counter: 3, Timestamp: 17, StateVersion: 1}
	for _, c := range []struct {
		name string
		call func(context.Context, *api.Client) error
		want string // "METHOD target body"
	}{
		{"a beat", func(ctx context.Context, c *api.Client) error { _, err := c.BeatSession(ctx, "s-1", 17); return err },
			"PUT /stage/v1/register/session?id=s-1&revision=17"},
		{"a session", func(ctx context.Context, c *api.Client) error {
			_, err := c.OpenSession(ctx, "s-1", "gw-1", 0)
			return err
		},
			"PUT /stage/v1/register/session?gateway=gw-1&id=s-1&open=true&revision=0"},
		{"a registration", func(ctx context.Context, c *api.Client) error {
			body, err := api.NewBody(core.Content{DataVersion: version, Topics: []core.Topic{{Name: "t1", Queues: core.Queues{Read: 1, Write: 2, Perm: 6}}}})
			if err != nil {
				return err
			}
			_, err = c.Register(ctx, "s-1", api.Registration{
				Registration: core.Registration{
					Cluster: "c1", Broker: "b1", ID: 1, Addr: "a:1", HAAddr: "a:2", Zone: "z", Timeout: time.Minute, ActingMaster: core.ActingMasterOff,
					Session: "not this", Age: time.Hour, Owner: "o", Front: "f",
				},
				Said: at(1500 * time.Millisecond), Body: body,
			})
			return err
		}, `PUT /stage/v1/register/broker {"clusterName":"c1","brokerName":"b1","brokerId":1,"brokerAddr":"a:1","haServerAddr":"a:2","zoneName":"z",` +
			`"heartbeatTimeoutMillis":60000,"enableActingMaster":false,"session":"s-1","age":1500,"partial":true,"returnGroup":true,` +
			`"dataVersion":{"counter":3,"stateVersion":1,"timestamp":17},` +
			`"topicConfigTable":{"t1":{"topicName":"t1","readQueueNums":1,"writeQueueNums":2,"perm":6,"topicSysFlag":0}}}`},
		{"confirmations", func(ctx context.Context, c *api.Client) error {
			_, _, err := c.Beats(ctx, "s-1", []api.Beat{
				{Beat: core.Beat{Cluster: "c1", Broker: "b1", ID: 0, HasID: true, Addr: "a:1", DataVersion: &version, Age: time.Hour}, Said: at(2 * time.Second)},
				{Beat: core.Beat{Cluster: "c1", Broker: "b2", Addr: "a:2"}, Said: epoch.Add(time.Second)}, // by a clock that went back
				{Beat: core.Beat{Cluster: "c1", Broker: "b3", Addr: "a:3"}},
			})
			return err
		}, `POST /stage/v1/register/beats {"returnGroups":true,"beats":[` +
			`{"clusterName":"c1","brokerName":"b1","brokerId":0,"brokerAddr":"a:1","dataVersion":{"counter":3,"stateVersion":1,"timestamp":17},"session":"s-1","age":2000},` +
			`{"clusterName":"c1","brokerName":"b2","brokerAddr":"a:2","session":"s-1","age":0},` +
			`{"clusterName":"c1","brokerName":"b3","brokerAddr":"a:3","session":"s-1","age":0}]}`},
		{"a departure", func(ctx context.Context, c *api.Client) error {
			_, err := c.Unregister(ctx, "s-1", api.Departure{Departure: core.Departure{Cluster: "c1", Broker: "b1", ID: 2, Addr: "a:1", Session: "not this"}, Said: at(time.Second)})
			return err
		}, `POST /stage/v1/register/unregister {"clusterName":"c1","brokerName":"b1","brokerId":2,"brokerAddr":"a:1","age":1000}`},
		{"the end of a lease", func(ctx context.Context, c *api.Client) error {
			_, err := c.Unregister(ctx, "s-1", api.Departure{Departure: core.Departure{Cluster: "c1", Broker: "b1", Addr: "a:1", LeaseOnly: true}, Said: at(500 * 24 * time.Hour)})
			return err
		}, `POST /stage/v1/register/unregister {"clusterName":"c1","brokerName":"b1","brokerId":0,"brokerAddr":"a:1","session":"s-1","age":31536000000}`},
		{"queues", func(ctx context.Context, c *api.Client) error {
			_, err := c.RegisterQueues(ctx, "%RETRY%a b+c", []core.Row{{Broker: "b1", Topic: core.Topic{Name: "ignored", Queues: core.Queues{Read: 1, Write: 2, Perm: 6, SysFlag: 3}}}})
			return err
		}, `PUT /stage/v1/register/queues?topic=%25RETRY%25a%20b%2Bc {"queueDatas":[{"brokerName":"b1","readQueueNums":1,"writeQueueNums":2,"perm":6,"topicSysFlag":3}]}`},
		{"routes", func(ctx context.Context, c *api.Client) error {
			_, err := c.Routes(ctx, api.RoutesQuery{Revision: 17, Consistent: true, Topics: []api.KnownRoute{{Topic: "t1", ETag: "0af"}, {Topic: "t2"}}})
			return err
		}, `POST /stage/v1/read/routes {"revision":17,"consistent":true,"sessions":true,"topics":[{"topic":"t1","etag":"0af"},{"topic":"t2"}]}`},
		{"topics", func(ctx context.Context, c *api.Client) error {
			_, _, err := c.Topics(ctx, core.UnitSubNotUnit, "c1")
			return err
		},
			"GET /stage/v1/read/topics?cluster=c1&kind=unit-sub-ununit"},
		{"all topics", func(ctx context.Context, c *api.Client) error {
			_, _, err := c.Topics(ctx, core.AllTopics, "")
			return err
		},
			"GET /stage/v1/read/topics"},
		{"clusters", func(ctx context.Context, c *api.Client) error { _, _, err := c.Clusters(ctx); return err }, "GET /stage/v1/read/clusters"},
		{"a group", func(ctx context.Context, c *api.Client) error { _, _, err := c.Group(ctx, "b 1"); return err }, "GET /stage/v1/read/group?broker=b%201"},
		{"leases", func(ctx context.Context, c *api.Client) error { _, err := c.Leases(ctx, "s-1"); return err }, "GET /stage/v1/read/leases?session=s-1"},
		{"values", func(ctx context.Context, c *api.Client) error { _, _, err := c.KV(ctx, "N"); return err }, "GET /stage/v1/read/kv?namespace=N"},
		{"wipe", func(ctx context.Context, c *api.Client) error { _, _, err := c.WipeWrite(ctx, "b1"); return err }, "DELETE /stage/v1/admin/write-permission?broker=b1"},
		{"add", func(ctx context.Context, c *api.Client) error { _, _, err := c.AddWrite(ctx, "b1"); return err }, "PUT /stage/v1/admin/write-permission?broker=b1"},
		{"a topic's end", func(ctx context.Context, c *api.Client) error { _, err := c.DeleteTopic(ctx, "t1", ""); return err }, "DELETE /stage/v1/admin/topic?topic=t1"},
		{"its end in a cluster", func(ctx context.Context, c *api.Client) error { _, err := c.DeleteTopic(ctx, "t1", "c1"); return err }, "DELETE /stage/v1/admin/topic?cluster=c1&topic=t1"},
		{"a value", func(ctx context.Context, c *api.Client) error { _, err := c.PutKV(ctx, "N", "k", "v\n"); return err }, `PUT /stage/v1/admin/kv?key=k&namespace=N {"value":"v\n"}`},
		{"a value's end", func(ctx context.Context, c *api.Client) error { _, err := c.DeleteKV(ctx, "N", "k"); return err }, "DELETE /stage/v1/admin/kv?key=k&namespace=N"},
	} {
		for _, plain := range []bool{false, true} {
			inBubble(t, c.name, func(t *testing.T) {
				var got string
				client, _ := scripted(t, api.Options{Now: func() time.Time { return epoch }, Uncompressed: plain}, func(w http.ResponseWriter, r *http.Request) {
					got = strings.TrimRight(r.Method+" "+r.URL.RequestURI()+" "+sent(t, r, plain), " ")
					says(410, typeProblem, problem("session-closed"))(w, r)
				})
				c.call(t.Context(), client)
				if got != c.want {
					t.Errorf("sent\n%s\nwant\n%s", got, c.want)
				}
			})
		}
	}
}

// sent is the body of a request, which travels as it has to.
func sent(t *testing.T, r *http.Request, plain bool) string {
	if r.Header.Get("Accept") != typeJSON || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("the header is %v", r.Header)
	}
	body := io.Reader(r.Body)
	switch mediaType := r.Header.Get("Content-Type"); {
	case mediaType == "application/vnd.signpost.v1+gzip" && !plain:
		z, err := gzip.NewReader(body)
		if err != nil {
			t.Error(err)
			return ""
		}
		body = z
	case mediaType != typeJSON && mediaType != "":
		t.Errorf("the body is %s", mediaType)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	if len(text) > 0 && r.Header.Get("Content-Type") == "" {
		t.Error("the body has no type")
	}
	return string(text)
}

// TestPatienceGrowsWithABatch: a function that has just begun takes its time
// for a thousand.
func TestPatienceGrowsWithABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, seen := scripted(t, api.Options{}, hangs)
		client.Beats(t.Context(), "s-1", make([]api.Beat, 1))
		client.Beats(t.Context(), "s-1", make([]api.Beat, api.MaxBatch))
		same(t, "how long attempts take", seen.took, []time.Duration{
			2010 * time.Millisecond, 2010 * time.Millisecond, 2010 * time.Millisecond, 12 * time.Second, 12 * time.Second, 12 * time.Second,
		})
	})
}
