package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is a route, as far as it is looked at.
type route struct {
	BrokerDatas []struct {
		BrokerName  string
		Cluster     string
		BrokerAddrs map[string]string
	}
	QueueDatas []struct {
		BrokerName    string
		WriteQueueNum int `json:"writeQueueNums"`
		Perm          int
	}
}

func (p *pass) checks(ctx context.Context) {
	p.callers(ctx)
	p.registering(ctx)
	p.reading(ctx)
	p.sessions(ctx)
	p.administration(ctx)
	p.many(ctx)
}

// callers checks who may call what.
func (p *pass) callers(ctx context.Context) {
	probes := map[class]call{
		reading:  get("/v1/read/clusters", nil),
		register: post("/v1/register/beats", object{"beats": []object{}}),
		admin:    remove("/v1/admin/kv", url.Values{"namespace": {p.cluster}, "key": {"none"}}),
	}
	order := []class{reading, register, admin}
	p.check("calls without a signature are refused", func() error {
		var errs []error
		for _, k := range order {
			_, err := p.want(ctx, probes[k].by(unsigned), http.StatusForbidden, nil)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	p.check("every class may do its own", func() error {
		var errs []error
		for _, k := range order {
			status := http.StatusOK
			if k == admin {
				status = http.StatusNoContent
			}
			_, err := p.want(ctx, probes[k], status, nil)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	const apart = "no class reaches into another"
	if p.c.apart {
		p.check(apart, func() error {
			var errs []error
			for _, who := range order {
				for _, k := range order {
					if who != k {
						_, err := p.want(ctx, probes[k].by(who), http.StatusForbidden, nil)
						errs = append(errs, err)
					}
				}
			}
			return errors.Join(errs...)
		})
	} else {
		p.leaveOut(apart, "give -read, -register and -admin")
	}
	const foreign = "a cluster that the caller may not write is refused"
	if p.o.forbidden == "" {
		p.leaveOut(foreign, "give -forbidden-cluster")
		return
	}
	p.check(foreign, func() error {
		r := p.registration(p.broker, 1, p.topic)
		r["clusterName"] = p.o.forbidden
		return p.wantProblem(ctx, put("/v1/register/broker", nil, r), http.StatusForbidden, "cluster-forbidden")
	})
}

// registering checks registrations, light beats and what is no body.
func (p *pass) registering(ctx context.Context) {
	type answer struct{ Revision uint64 }
	p.check("a broker registers", func() error {
		var a answer
		_, err := p.want(ctx, put("/v1/register/broker", nil, p.registration(p.broker, 1, p.topic)), http.StatusOK, &a)
		if err == nil && a.Revision == 0 {
			err = errors.New("no revision was raised")
		}
		return err
	})
	p.check("a compressed registration changes it, and once only", func() error {
		var first, second answer
		c := put("/v1/register/broker", nil, p.registration(p.broker, 2, p.topic, p.topic+"2", "plain-"+p.cluster)).zipped()
		_, err := p.want(ctx, c, http.StatusOK, &first)
		if err != nil {
			return err
		}
		if _, err := p.want(ctx, c, http.StatusOK, &second); err != nil {
			return err
		}
		if first.Revision == 0 || second.Revision != 0 {
			return fmt.Errorf("revisions raised are %d, then %d", first.Revision, second.Revision)
		}
		return nil
	})
	p.check("compressed bytes under application/json are refused", func() error {
		c := put("/v1/register/broker", nil, p.registration(p.broker, 3, p.topic)).zipped()
		c.contentType = typeJSON
		return p.wantProblem(ctx, c, http.StatusBadRequest, "invalid-field")
	})
	p.check("a Content-Encoding is refused", func() error {
		c := put("/v1/register/broker", nil, p.registration(p.broker, 3, p.topic)).withHeader("Content-Encoding", "gzip")
		return p.wantProblem(ctx, c, http.StatusUnsupportedMediaType, "unsupported-media-type")
	})
	p.check("a member that is missing is named", func() error {
		r := p.registration(p.broker, 3, p.topic)
		delete(r, "brokerAddr")
		return p.wantProblem(ctx, put("/v1/register/broker", nil, r), http.StatusBadRequest, "invalid-field")
	})
	p.check("light beats are answered", func() error {
		beat := func(broker string) object {
			return object{"clusterName": p.cluster, "brokerName": broker, "brokerId": 0, "brokerAddr": "192.0.2.1:10911"}
		}
		var a struct{ Answers []string }
		_, err := p.want(ctx, post("/v1/register/beats", object{"beats": []object{beat(p.broker), beat("none-" + p.broker)}}), http.StatusOK, &a)
		if err == nil && !slices.Equal(a.Answers, []string{"ok", "register"}) {
			err = fmt.Errorf("answers are %v", a.Answers)
		}
		return err
	})
}

// reading checks lookups: names, tags, batches, compression.
func (p *pass) reading(ctx context.Context) {
	p.check("a retry topic is found by its name", func() error {
		var found route
		r, err := p.want(ctx, get("/v1/read/route", p.known(url.Values{"topic": {p.topic}})), http.StatusOK, &found)
		if err != nil {
			return err
		}
		p.etag = r.header.Get("ETag")
		if len(found.BrokerDatas) != 1 || found.BrokerDatas[0].BrokerName != p.broker || found.BrokerDatas[0].Cluster != p.cluster ||
			found.BrokerDatas[0].BrokerAddrs["0"] != "192.0.2.1:10911" || len(found.QueueDatas) != 1 || found.QueueDatas[0].WriteQueueNum != 4 {
			return fmt.Errorf("the route is %s", r.body)
		}
		return nil
	})
	p.check("who has it is answered 304", func() error {
		r, err := p.want(ctx, get("/v1/read/route", p.known(url.Values{"topic": {p.topic}})).withHeader("If-None-Match", `"0123456789abcdef", `+p.etag), http.StatusNotModified, nil)
		if err == nil && (len(r.body) > 0 || r.header.Get("ETag") != p.etag || r.header.Get("Signpost-Valid-For") == "") {
			err = fmt.Errorf("304 with %d bytes and %v", len(r.body), r.header)
		}
		return err
	})
	p.check("an unknown topic is a problem of its own", func() error {
		return p.wantProblem(ctx, get("/v1/read/route", url.Values{"topic": {"%DLQ%none-" + p.cluster}}), http.StatusNotFound, "topic-not-found")
	})
	p.check("a batch tells what changed", func() error {
		var a struct {
			Routes []struct{ Topic, Status, ETag string }
		}
		c := post("/v1/read/routes", object{"revision": p.revision, "topics": []object{
			{"topic": p.topic, "etag": strings.Trim(strings.TrimPrefix(p.etag, "W/"), `"`)}, {"topic": p.topic + "2"}, {"topic": "none-" + p.cluster}}})
		if _, err := p.want(ctx, c, http.StatusOK, &a); err != nil {
			return err
		}
		var got []string
		for _, r := range a.Routes {
			got = append(got, r.Status)
		}
		if !slices.Equal(got, []string{"unchanged", "changed", "absent"}) {
			return fmt.Errorf("statuses are %v", got)
		}
		return nil
	})
	p.check("answers are compressed for who accepts it", func() error {
		c := get("/v1/read/topics", url.Values{"cluster": {p.cluster}})
		plain, err := p.want(ctx, c, http.StatusOK, nil)
		if err != nil {
			return err
		}
		r, err := p.want(ctx, c.withHeader("Accept-Encoding", "gzip"), http.StatusOK, nil)
		if err != nil {
			return err
		}
		body := r.body
		if r.header.Get("Content-Encoding") == "gzip" { // short ones need not be
			if body, err = unzip(body); err != nil {
				return err
			}
		}
		if !bytes.Equal(body, plain.body) {
			return fmt.Errorf("%.200q is not %.200q", body, plain.body)
		}
		return nil
	})
	p.check("what is not there is not found", func() error {
		_, err := p.want(ctx, get("/v1/read/nothing", nil), http.StatusNotFound, nil)
		return err
	})
}
