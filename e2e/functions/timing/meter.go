package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"signpost/e2e/functions/stack"
	"signpost/e2e/gateway/emulator"
)

// warmUp is how many calls come before those that are counted.
const warmUp = 20

// meter makes calls and keeps what the emulator says that they took. After an
// error it does nothing any more.
type meter struct {
	ctx  context.Context
	s    *stack.Stack
	rows []row
	err  error
}

func (m *meter) measure(starts, calls int) {
	const topics = 1000
	m.register(0, topics)
	m.inits(stack.Register, starts, func() { m.call("POST", "/v1/register/beats", beats()) })
	m.inits(stack.Route, starts, func() { m.call("GET", "/v1/read/clusters", nil) })
	m.inits(stack.Sweeper, starts, func() { m.fail(m.s.Tick(m.ctx, time.Now())) })
	route := func(i int) {
		m.call("GET", fmt.Sprintf("/v1/read/route?topic=%s", url.QueryEscape(topic(i%topics))), nil)
	}
	m.calls("route, warm: the same topic", stack.Route, calls, maxRoute, func(int) { route(0) })
	m.calls("route, topics not asked for before", stack.Route, calls, 0, func(i int) { route(i + 1) })
	m.calls("route, read anew (consistent=true)", stack.Route, calls, 0, func(int) {
		m.call("GET", "/v1/read/route?consistent=true&topic="+url.QueryEscape(topic(0)), nil)
	})
	m.calls("a broker's light heartbeat", stack.Register, calls, 0, func(int) { m.call("POST", "/v1/register/beats", beats()) })
	m.call("PUT", "/v1/register/session?open=true&gateway=timing&id=timing", nil)
	m.calls("a gateway's beat", stack.Register, calls, 0, func(int) { m.call("PUT", "/v1/register/session?id=timing", nil) })
	m.calls(fmt.Sprintf("a full heartbeat of %d topics, unchanged", topics), stack.Register, calls/3, 0, func(int) { m.register(0, topics) })
	m.calls("a sweep, nothing to do", stack.Sweeper, calls/3, 0, func(int) { m.fail(m.s.Tick(m.ctx, time.Now())) })
}

// inits starts a function anew again and again.
func (m *meter) inits(id string, n int, call func()) {
	f := m.s.Functions[id]
	before := len(f.Timings().Inits)
	for range n {
		f.Kill9()
		call()
	}
	m.add(row{what: "init of " + id, took: m.await(f, func(t emulator.Timings) []time.Duration { return t.Inits }, before, n), atMost: maxInit})
}

// calls makes n calls of a warm function.
func (m *meter) calls(what, id string, n int, atMost time.Duration, call func(i int)) {
	f := m.s.Functions[id]
	for i := range warmUp {
		call(-1 - i + 1000) // other topics than those that are counted, but for the first
	}
	before := len(m.settled(f))
	for i := range n {
		call(i)
	}
	m.add(row{what: what, took: m.await(f, func(t emulator.Timings) []time.Duration { return t.Invokes }, before, n), atMost: atMost})
}

// settled are the times of all calls so far: the emulator tells of one a
// moment after it has answered.
func (m *meter) settled(f *emulator.Function) []time.Duration {
	last := -1
	for range 100 {
		t := f.Timings().Invokes
		if len(t) == last {
			return t
		}
		last = len(t)
		time.Sleep(50 * time.Millisecond)
	}
	return f.Timings().Invokes
}

// await waits until the emulator has told of n more.
func (m *meter) await(f *emulator.Function, of func(emulator.Timings) []time.Duration, before, n int) []time.Duration {
	for deadline := time.Now().Add(10 * time.Second); m.err == nil; time.Sleep(10 * time.Millisecond) {
		if t := of(f.Timings()); len(t) >= before+n {
			return t[before : before+n]
		}
		if time.Now().After(deadline) {
			m.fail(fmt.Errorf("the emulator has not told of %d times", n))
		}
	}
	return nil
}

func (m *meter) add(r row) { m.rows = append(m.rows, r) }

func (m *meter) fail(err error) {
	if m.err == nil {
		m.err = err // nil changes nothing
	}
}

// call makes one call that has to succeed.
func (m *meter) call(method, target string, body []byte) {
	if m.err != nil {
		return
	}
	r, err := m.s.As(stack.Master).Do(m.ctx, method, target, body, "Content-Type", "application/json")
	if err == nil && r.Status >= 300 {
		err = fmt.Errorf("%s %s: %v", method, target, r)
	}
	if err != nil {
		m.fail(err)
	}
}

func topic(i int) string { return fmt.Sprintf("%%RETRY%%topic-%04d", i) }

func beats() []byte {
	return []byte(`{"beats":[{"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"10.0.0.1:10911"}]}`)
}

func (m *meter) register(counter, topics int) {
	table := map[string]any{}
	for i := range topics {
		table[topic(i)] = map[string]any{"topicName": topic(i), "readQueueNums": 8, "writeQueueNums": 8, "perm": 6, "topicSysFlag": 0}
	}
	body, err := json.Marshal(map[string]any{
		"clusterName": "c", "brokerName": "b", "brokerId": 0, "brokerAddr": "10.0.0.1:10911", "heartbeatTimeoutMillis": 600_000,
		"dataVersion": map[string]any{"counter": counter, "stateVersion": 0, "timestamp": 1}, "topicConfigTable": table,
	})
	m.fail(err)
	m.call("PUT", "/v1/register/broker", body)
}
