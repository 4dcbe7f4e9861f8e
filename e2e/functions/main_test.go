//go:build e2e

package functions_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"signpost/e2e/functions/stack"
	"signpost/e2e/gateway"
	"signpost/e2e/peers"
)

const root = "../.."

var (
	dynamodb string // host:port of DynamoDB Local
	binaries *stack.Binaries
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // a machine without the SAM CLI downloads it
	defer cancel()
	dir, err := os.MkdirTemp("", "signpost-functions-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binaries, err = stack.Build(ctx, root, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p, err := peers.StartDynamoDB(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dynamodb = p.Addr
	code := m.Run()
	if err := p.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// scene is a stack of one test.
type scene struct {
	*stack.Stack
	t *testing.T
	// broker and cluster are names that no other test has.
	broker, cluster string
}

func start(t *testing.T, change func(*stack.Options)) *scene {
	t.Helper()
	o := stack.Options{Root: root, Binaries: binaries, DynamoDB: dynamodb}
	if change != nil {
		change(&o)
	}
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			for id, f := range s.Functions {
				for _, l := range f.Lines() {
					t.Logf("%s: %.2000s", id, l)
				}
			}
		}
	})
	id := strings.ToLower(rand.Text()[:6])
	return &scene{Stack: s, t: t, broker: "broker-" + id, cluster: "cluster-" + id}
}

// do makes one call as that user, within a minute.
func (s *scene) do(key, method, target string, body []byte, headers ...string) *gateway.Reply {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := s.As(key).Do(ctx, method, target, body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// want makes a call and wants that status. v, if it is not nil, takes the body.
func (s *scene) want(status int, v any, key, method, target string, body []byte, headers ...string) *gateway.Reply {
	s.t.Helper()
	r := s.do(key, method, target, body, headers...)
	if r.Status != status {
		s.t.Fatalf("%s %s as %s: %v, want %d", method, target, key, r, status)
	}
	if v != nil {
		if err := json.Unmarshal(r.Body, v); err != nil {
			s.t.Fatalf("%s %s: %v in %v", method, target, err, r)
		}
	}
	return r
}

// object is a JSON object.
type object map[string]any

func (o object) with(name string, value any) object {
	c := object{}
	for k, v := range o {
		c[k] = v
	}
	c[name] = value
	return c
}

func (o object) json() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // these are maps of strings and numbers
	}
	return b
}

const typeJSON, typeGzip = "application/json", "application/vnd.signpost.v1+gzip"

// registration is the master's, with those topics.
func (s *scene) registration(topics ...string) object {
	table := object{}
	for _, t := range topics {
		table[t] = object{"topicName": t, "readQueueNums": 4, "writeQueueNums": 4, "perm": 6, "topicSysFlag": 0}
	}
	return object{
		"clusterName": s.cluster, "brokerName": s.broker, "brokerId": 0, "brokerAddr": "10.0.0.1:10911",
		"dataVersion": object{"counter": 1, "stateVersion": 0, "timestamp": 1}, "topicConfigTable": table,
	}
}

// beat is the master's light heartbeat.
func (s *scene) beat() object {
	return object{"clusterName": s.cluster, "brokerName": s.broker, "brokerId": 0, "brokerAddr": "10.0.0.1:10911"}
}

// register registers and returns the revision that was raised.
func (s *scene) register(key string, r object) uint64 {
	s.t.Helper()
	var a struct{ Revision uint64 }
	s.want(200, &a, key, "PUT", "/v1/register/broker", r.json(), "Content-Type", typeJSON)
	return a.Revision
}

// beats sends light beats or confirmations and returns the answers.
func (s *scene) beats(key string, beats ...object) []string {
	s.t.Helper()
	var a struct{ Answers []string }
	s.want(200, &a, key, "POST", "/v1/register/beats", object{"beats": beats}.json(), "Content-Type", typeJSON)
	return a.Answers
}

// route asks where a topic is, by who knows that revision.
func (s *scene) route(topic string, revision uint64) *gateway.Reply {
	s.t.Helper()
	return s.do(stack.Reader, "GET", fmt.Sprintf("/v1/read/route?topic=%s&revision=%d", url.QueryEscape(topic), revision), nil)
}

// found says whether a topic has a route.
func (s *scene) found(topic string, revision uint64) bool {
	s.t.Helper()
	r := s.route(topic, revision)
	if r.Status != 200 && r.Status != 404 {
		s.t.Fatalf("route of %s: %v", topic, r)
	}
	return r.Status == 200
}

// tick runs the sweeper once.
func (s *scene) tick() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := s.Tick(ctx, time.Now()); err != nil {
		s.t.Fatalf("sweep: %v", err)
	}
}

// eventually waits for what happens by itself, looking less and less often.
func (s *scene) eventually(what string, holds func() bool) {
	s.t.Helper()
	start := time.Now()
	for !holds() {
		waited := time.Since(start)
		if waited > time.Minute {
			s.t.Fatalf("within a minute it did not happen that %s", what)
		}
		time.Sleep(min(max(time.Millisecond, waited/20), 200*time.Millisecond))
	}
}

// announced are the ids of the events of a kind about this scene's broker, and
// how often each came.
func (s *scene) announced(kind string) map[string]int {
	ids := map[string]int{}
	for _, e := range s.Bus.Took() {
		if e.DetailType == kind && strings.Contains(e.Detail, s.broker) {
			ids[e.ID()]++
		}
	}
	return ids
}

// problem is the type of a problem, without what they all begin with.
func problem(r *gateway.Reply) string {
	var p struct{ Type string }
	if r.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(r.Body, &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "urn:signpost:problem:")
}

func zipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body) // into memory, which does not fail
	z.Close()
	return b.Bytes()
}
