package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pass is one run. All that it registers is in a cluster of its own.
type pass struct {
	c       *client
	o       options
	out     io.Writer
	cluster string
	broker  string
	large   string // the broker with many topics
	topic   string
	session string
	etag    string // of the topic's route
	// revision is the newest known, so that every read shows the writes before.
	revision uint64

	done, failed, leftOut int
}

func newPass(c *client, o options, out io.Writer) *pass {
	id := strings.ToLower(rand.Text()[:8])
	return &pass{
		c: c, o: o, out: out, cluster: "smoke-" + id, broker: "smoke-broker-" + id, large: "smoke-large-" + id,
		topic: "%RETRY%smoke & grün?#/" + id, session: "smoke-" + id,
	}
}

// check runs one check and prints its line.
func (p *pass) check(name string, f func() error) {
	start := time.Now()
	err := f()
	p.done++
	if err != nil {
		p.failed++
		fmt.Fprintf(p.out, "FAIL  %s: %v\n", name, err)
		return
	}
	fmt.Fprintf(p.out, "ok    %s (%d ms)\n", name, time.Since(start).Milliseconds())
}

func (p *pass) leaveOut(name, why string) {
	p.leftOut++
	fmt.Fprintf(p.out, "left  %s: %s\n", name, why)
}

// want makes a call, wants that status, and decodes JSON into v if that is not
// nil.
func (p *pass) want(ctx context.Context, what call, status int, v any) (*reply, error) {
	r, err := p.c.do(ctx, what)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what.method, what.path, err)
	}
	if r.status != status {
		return r, fmt.Errorf("%s %s?%s: %v, want %d", what.method, what.path, what.query.Encode(), r, status)
	}
	var revision uint64
	if _, err := fmt.Sscan(r.header.Get("Signpost-Revision"), &revision); err == nil {
		p.revision = max(p.revision, revision)
	}
	if v != nil {
		if err := json.Unmarshal(r.body, v); err != nil {
			return r, fmt.Errorf("%s %s: %w in %v", what.method, what.path, err, r)
		}
	}
	return r, nil
}

// wantProblem makes a call and wants that status and that type of problem.
func (p *pass) wantProblem(ctx context.Context, what call, status int, kind string) error {
	r, err := p.want(ctx, what, status, nil)
	if err == nil && r.problem() != kind {
		err = fmt.Errorf("%s %s: %v, want the problem %s", what.method, what.path, r, kind)
	}
	return err
}

// object is a JSON object.
type object map[string]any

func put(path string, query url.Values, body any) call {
	return withBody(http.MethodPut, path, query, body)
}

func post(path string, body any) call { return withBody(http.MethodPost, path, nil, body) }

// withBody is a call with a JSON body, nil for none, by whoever may make it.
func withBody(method, path string, query url.Values, body any) call {
	c := call{as: class(strings.Split(path, "/")[2]), method: method, path: path, query: query}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			panic(err) // these are maps of strings and numbers
		}
		c.body, c.contentType = b, typeJSON
	}
	return c
}

func get(path string, query url.Values) call { return withBody(http.MethodGet, path, query, nil) }

func remove(path string, query url.Values) call { return withBody(http.MethodDelete, path, query, nil) }

// zipped is c with its body gzipped.
func (c call) zipped() call {
	c.body, c.contentType = zip(c.body), typeGzip
	return c
}

func (c call) by(who class) call {
	c.as = who
	return c
}

// withHeader is c with one header.
func (c call) withHeader(name, value string) call {
	c.headers = map[string]string{name: value}
	return c
}

// registration is that of a master with those topics.
func (p *pass) registration(broker string, counter int, topics ...string) object {
	table := object{}
	for _, t := range topics {
		table[t] = object{"topicName": t, "readQueueNums": 4, "writeQueueNums": 4, "perm": 6, "topicSysFlag": 0}
	}
	return object{
		"clusterName": p.cluster, "brokerName": broker, "brokerId": 0, "brokerAddr": "192.0.2.1:10911", "haServerAddr": "192.0.2.1:10912",
		"heartbeatTimeoutMillis": 120_000, "dataVersion": object{"counter": counter, "stateVersion": 0, "timestamp": 1},
		"topicConfigTable": table, "filterServerList": []string{},
	}
}

// known is the query of a read that shows all writes before it.
func (p *pass) known(query url.Values) url.Values {
	query.Set("revision", fmt.Sprint(p.revision))
	return query
}

// cleanUp takes away what the checks put there. What the sweeper is for it does:
// topics of a broker that is gone are rows that nobody sees.
func (p *pass) cleanUp(ctx context.Context) {
	p.check("clean up", func() error {
		var errs []error
		for _, broker := range []string{p.broker, p.large} {
			_, err := p.want(ctx, post("/v1/register/unregister", object{
				"clusterName": p.cluster, "brokerName": broker, "brokerId": 0, "brokerAddr": "192.0.2.1:10911"}), 204, nil)
			errs = append(errs, err)
		}
		_, err := p.want(ctx, remove("/v1/admin/kv", url.Values{"namespace": {p.cluster}, "key": {p.topic}}), 204, nil)
		return errors.Join(append(errs, err)...)
	})
}
