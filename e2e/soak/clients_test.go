//go:build e2e

package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"signpost/bench/load"
	"signpost/internal/remoting"
)

// row is what a route says of one broker.
type row struct {
	Addr   string
	Queues int32
	Perm   int32
}

// decode reads a route.
func decode(body []byte) (map[string]row, error) {
	var route struct {
		BrokerDatas []struct {
			BrokerName  string
			BrokerAddrs map[string]string
		}
		QueueDatas []struct {
			BrokerName                          string
			ReadQueueNums, WriteQueueNums, Perm int32
		}
	}
	if err := json.Unmarshal(body, &route); err != nil {
		return nil, fmt.Errorf("a route: %w: %.300q", err, body)
	}
	addrs := map[string]string{}
	for _, b := range route.BrokerDatas {
		addrs[b.BrokerName] = b.BrokerAddrs["0"]
	}
	rows := map[string]row{}
	for _, q := range route.QueueDatas {
		if q.ReadQueueNums != q.WriteQueueNums || addrs[q.BrokerName] == "" {
			return nil, fmt.Errorf("a route that nobody registered: %.1000s", body)
		}
		rows[q.BrokerName] = row{Addr: addrs[q.BrokerName], Queues: q.ReadQueueNums, Perm: q.Perm}
	}
	return rows, nil
}

// held is a broker's connection on which a topic was accepted.
type held struct {
	line  *line
	epoch int
}

// lookUp has a client ask a shim for topics, one after the other, until ctx
// ends.
func (s *soak) lookUp(ctx context.Context, f *front) {
	c := client{front: f}
	defer c.close()
	for ctx.Err() == nil {
		if b := s.brokers[rand.IntN(len(s.brokers))]; rand.IntN(4) == 0 {
			s.ask(&c, b.name, []*broker{b}) // nobody may have asked for it before
		} else {
			topic := shared[rand.IntN(len(shared))]
			s.ask(&c, topic, s.having[topic])
		}
		time.Sleep(5 * time.Millisecond) // no more than a few clients
	}
}

// ask asks for a topic that these brokers may have and judges the answer: whoever
// was accepted by this shim, and is connected all the while, is in it.
func (s *soak) ask(c *client, topic string, brokers []*broker) {
	r, err := load.RouteRequest(topic)
	if err != nil {
		s.report("%v", err)
		return
	}
	f, began := c.front, time.Now()
	var before []held
	for _, b := range brokers {
		l := b.lines[f.index]
		if epoch, ok := l.has(topic); ok {
			before = append(before, held{l, epoch})
		}
	}
	killed, remembers := f.remembers(topic)
	a, ok := c.ask(&r)
	if !ok {
		return
	}
	took := time.Since(began)
	rows := map[string]row{}
	if a.Code == int32(remoting.Success) {
		if rows, err = decode(a.Body); err != nil {
			s.report("%v", err)
			return
		}
		f.saw(topic)
	}
	for _, h := range before {
		if epoch, ok := h.line.has(topic); !ok || epoch != h.epoch {
			continue
		}
		s.judged.Add(1)
		if _, ok := rows[h.line.broker.name]; !ok {
			s.report("%s, asked for %s, leaves out %v; after %v: code %d, %d brokers: %.300s",
				f.name, topic, h.line, took, a.Code, len(rows), a.Header)
			return
		}
	}
	if !remembers || len(rows) > 0 {
		return
	}
	for _, b := range brokers {
		if b.lines[f.index].isWanted() && b.lives(killed) {
			s.report("%s, killed %v ago, has forgotten %s, which %s has had all the time: code %d: %.300s",
				f.name, time.Since(killed).Round(time.Millisecond), topic, b.name, a.Code, a.Header)
			return
		}
	}
}
