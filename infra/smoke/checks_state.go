package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// sessions checks a gateway's life.
func (p *pass) sessions(ctx context.Context) {
	query := func(pairs ...string) url.Values {
		q := url.Values{"id": {p.session}}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return q
	}
	held := object{"clusterName": p.cluster, "brokerName": p.broker, "brokerId": 0, "brokerAddr": "192.0.2.1:10911",
		"dataVersion": object{"counter": 2, "stateVersion": 0, "timestamp": 1}, "session": p.session}
	p.check("a session that was never opened is closed", func() error {
		return p.wantProblem(ctx, put("/v1/register/session", query(), nil), http.StatusGone, "session-closed")
	})
	p.check("a session opens and beats", func() error {
		for _, q := range []url.Values{query("open", "true", "gateway", "smoke"), query("revision", "0")} {
			var head struct {
				Sessions []struct{ ID string }
			}
			if _, err := p.want(ctx, put("/v1/register/session", q, nil), http.StatusOK, &head); err != nil {
				return err
			}
			if !slices.ContainsFunc(head.Sessions, func(s struct{ ID string }) bool { return s.ID == p.session }) {
				return fmt.Errorf("the session is not among %v", head.Sessions)
			}
		}
		return nil
	})
	p.check("a session takes a broker over and gives it back", func() error {
		var a struct{ Answers []string }
		if _, err := p.want(ctx, post("/v1/register/beats", object{"beats": []object{held}}), http.StatusOK, &a); err != nil {
			return err
		}
		if !slices.Equal(a.Answers, []string{"ok"}) {
			return fmt.Errorf("answers are %v", a.Answers)
		}
		if err := p.leases(ctx, 1); err != nil {
			return err
		}
		delete(held, "dataVersion")
		if _, err := p.want(ctx, post("/v1/register/unregister", held), http.StatusNoContent, nil); err != nil {
			return err
		}
		return p.leases(ctx, 0)
	})
}

func (p *pass) leases(ctx context.Context, n int) error {
	var a struct{ Leases []json.RawMessage }
	_, err := p.want(ctx, get("/v1/read/leases", url.Values{"session": {p.session}}), http.StatusOK, &a)
	if err == nil && len(a.Leases) != n {
		err = fmt.Errorf("the session holds %d, want %d", len(a.Leases), n)
	}
	return err
}

// administration checks the calls of operators.
func (p *pass) administration(ctx context.Context) {
	p.check("write permission is taken and given back", func() error {
		for _, step := range []struct {
			method string
			perm   int
		}{{http.MethodDelete, 4}, {http.MethodPut, 6}} {
			c := withBody(step.method, "/v1/admin/write-permission", url.Values{"broker": {p.broker}}, nil)
			if _, err := p.want(ctx, c, http.StatusOK, nil); err != nil {
				return err
			}
			var found route
			r, err := p.want(ctx, get("/v1/read/route", p.known(url.Values{"topic": {p.topic}})), http.StatusOK, &found)
			if err != nil {
				return err
			}
			if len(found.QueueDatas) != 1 || found.QueueDatas[0].Perm != step.perm {
				return fmt.Errorf("after %s: %s", step.method, r.body)
			}
		}
		return nil
	})
	p.check("a KV value comes and goes", func() error {
		key := url.Values{"namespace": {p.cluster}, "key": {p.topic}}
		if _, err := p.want(ctx, put("/v1/admin/kv", key, object{"value": "a=1;ü"}), http.StatusNoContent, nil); err != nil {
			return err
		}
		var a struct{ Table map[string]string }
		if _, err := p.want(ctx, get("/v1/read/kv", key), http.StatusOK, &a); err != nil {
			return err
		}
		if len(a.Table) != 1 || a.Table[p.topic] != "a=1;ü" {
			return fmt.Errorf("the value is %v", a.Table)
		}
		if _, err := p.want(ctx, remove("/v1/admin/kv", key), http.StatusNoContent, nil); err != nil {
			return err
		}
		return p.wantProblem(ctx, get("/v1/read/kv", key), http.StatusNotFound, "not-found")
	})
	p.check("a topic is deleted", func() error {
		topic := url.Values{"topic": {p.topic + "2"}, "cluster": {p.cluster}}
		if _, err := p.want(ctx, remove("/v1/admin/topic", topic), http.StatusNoContent, nil); err != nil {
			return err
		}
		return p.wantProblem(ctx, get("/v1/read/route", p.known(url.Values{"topic": {p.topic + "2"}})), http.StatusNotFound, "topic-not-found")
	})
}

// largeAttempts is how often a large registration is sent: each goes on where
// the one before stopped.
const largeAttempts = 10

// many checks a broker with more topics than anybody should have.
func (p *pass) many(ctx context.Context) {
	if p.o.topics == 0 {
		p.leaveOut("many topics", "-topics is 0")
		return
	}
	names := make([]string, p.o.topics)
	for i := range names {
		names[i] = fmt.Sprintf("%%RETRY%%%s-%06d", p.cluster, i)
	}
	p.check(fmt.Sprintf("a broker registers %d topics", len(names)), func() error {
		c := put("/v1/register/broker", nil, p.registration(p.large, 1, names...)).zipped()
		var err error
		for range largeAttempts {
			if _, err = p.want(ctx, c, http.StatusOK, nil); err == nil || ctx.Err() != nil {
				return err
			}
		}
		return err
	})
	p.check("all of them are listed", func() error {
		c := get("/v1/read/topics", url.Values{"cluster": {p.cluster}}).withHeader("Accept-Encoding", "gzip")
		r, err := p.want(ctx, c, http.StatusOK, nil)
		if err != nil {
			return err
		}
		switch packed := r.header.Get("Content-Encoding") == "gzip"; {
		case packed:
			if r.body, err = unzip(r.body); err != nil {
				return err
			}
		case len(r.body) > 1<<20:
			return fmt.Errorf("%d bytes came uncompressed", len(r.body))
		}
		var a struct{ TopicList []string }
		if err := json.Unmarshal(r.body, &a); err != nil {
			return err
		}
		there := map[string]bool{}
		for _, t := range a.TopicList {
			there[t] = true
		}
		for _, n := range names {
			if !there[n] {
				return fmt.Errorf("%s is not among %d", n, len(there))
			}
		}
		return nil
	})
	p.check("the first and the last are found", func() error {
		var errs []error
		for _, n := range []string{names[0], names[len(names)-1]} {
			_, err := p.want(ctx, get("/v1/read/route", p.known(url.Values{"topic": {n}})), http.StatusOK, nil)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}
