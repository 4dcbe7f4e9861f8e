package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// calls makes one call of each kind of answer.
var calls = map[string]func(context.Context, *api.Client) error{
	"register": func(ctx context.Context, c *api.Client) error {
		b, err := api.NewBody(content("t1"))
		if err == nil {
			_, err = c.Register(ctx, "s-1", api.Registration{Registration: core.Registration{Broker: "b1"}, Body: b})
		}
		return err
	},
	"session": func(ctx context.Context, c *api.Client) error { _, err := c.BeatSession(ctx, "s-1", 0); return err },
	"beats": func(ctx context.Context, c *api.Client) error {
		_, _, err := c.Beats(ctx, "s-1", []api.Beat{{Beat: core.Beat{Broker: "b1"}}})
		return err
	},
	"routes": func(ctx context.Context, c *api.Client) error {
		_, err := c.Routes(ctx, api.RoutesQuery{Topics: []api.KnownRoute{{Topic: "t1"}, {Topic: "t2", ETag: "0123456789abcdef"}}})
		return err
	},
	"topics":   func(ctx context.Context, c *api.Client) error { _, _, err := c.Topics(ctx, 0, ""); return err },
	"clusters": func(ctx context.Context, c *api.Client) error { _, _, err := c.Clusters(ctx); return err },
	"group":    func(ctx context.Context, c *api.Client) error { _, _, err := c.Group(ctx, "b1"); return err },
	"leases":   func(ctx context.Context, c *api.Client) error { _, err := c.Leases(ctx, "s-1"); return err },
	"kv":       func(ctx context.Context, c *api.Client) error { _, _, err := c.KV(ctx, "n"); return err },
	"wipe":     func(ctx context.Context, c *api.Client) error { _, _, err := c.WipeWrite(ctx, "b1"); return err },
	"add":      func(ctx context.Context, c *api.Client) error { _, _, err := c.AddWrite(ctx, "b1"); return err },
}

// damaged are bodies that answer none of them.
var damaged = map[string]string{
	"nothing":      "",
	"no JSON":      "<html><body>Please log in</body></html>",
	"half":         `{"revision":7,"complete":true,"changes":[],"sessions":[`,
	"a list":       `[{"answers":["ok"]}]`,
	"null":         `null`,
	"wrong types":  `{"revision":"x","answers":{},"routes":7,"leases":"","group":[],"groups":1,"replicas":"r","topicList":7,"brokerAddrTable":[],"table":3,"wipeTopicCount":"1","addTopicCount":[]}`,
	"two":          `{"revision":7}{"revision":8}`,
	"not UTF-8":    "{\"topicList\":[\"\xff\"],\"table\":{\"k\":\"\xff\"},\"brokerAddrTable\":{\"\xff\":{}}}",
	"much nesting": strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
}

// inBubble runs a test whose pauses take no time.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// lists are calls for which an object without anything is an empty list.
var lists = map[string]bool{"topics": true, "clusters": true, "kv": true}

func TestDamagedAnswers(t *testing.T) {
	for name, body := range damaged {
		for call, make := range calls {
			inBubble(t, name+"/"+call, func(t *testing.T) {
				client, seen := scripted(t, api.Options{}, func(w http.ResponseWriter, _ *http.Request) {
					ours(w)
					io.WriteString(w, body)
				})
				unreachable(t, make(t.Context(), client))
				if len(seen.results) != 3 || !strings.HasSuffix(seen.results[0], " malformed") {
					t.Errorf("the attempts came to %v", seen.results)
				}
			})
		}
	}
	for call, make := range calls {
		inBubble(t, "an empty object/"+call, func(t *testing.T) {
			client, _ := scripted(t, api.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				ours(w)
				io.WriteString(w, "{}")
			})
			if err := make(t.Context(), client); !lists[call] {
				unreachable(t, err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnswersThatDoNotFitTheQuestion(t *testing.T) {
	const group = `{"cluster":"c1","brokerName":"b1","replicas":[]}`
	const route = `{"topic":"t2","status":"unchanged","etag":"0123456789abcdef","validForMillis":0}`
	for _, c := range []struct{ call, body string }{
		{"register", `{"masterAddr":"m"}`},
		{"register", `{"group":{"brokerName":"another","replicas":[]}}`},
		{"register", `{"group":{"brokerName":"b1","replicas":[{"brokerId":0}]}}`},
		{"register", `{"group":{"brokerName":"b1","replicas":[{"brokerAddr":"a","heartbeatTimeoutMillis":-1}]}}`},
		{"group", `{"brokerName":"another"}`},
		{"session", `{"revision":7,"complete":true}`},
		{"session", `{"revision":-7,"complete":true,"changes":[],"sessions":[]}`},
		{"beats", `{"answers":[],"groups":[` + group + `]}`},
		{"beats", `{"answers":["ok","ok"],"groups":[` + group + `]}`},
		{"beats", `{"answers":["perhaps"],"groups":[` + group + `]}`},
		{"beats", `{"answers":["ok"]}`},
		{"routes", `{"revision":7,"routes":[` + route + `]}`},
		{"routes", `{"revision":7,"routes":[` + route + `,` + route + `]}`},
		{"routes", `{"routes":[{"topic":"t1","status":"absent"},` + route + `]}`},
		{"routes", `{"revision":7,"routes":[{"topic":"another","status":"absent"},` + route + `]}`},
		{"routes", `{"revision":7,"routes":[{"topic":"t1","status":"changed","etag":"1"},` + route + `]}`},
		{"routes", `{"revision":7,"routes":[{"topic":"t1","status":"changed","route":{}},` + route + `]}`},
		{"routes", `{"revision":7,"routes":[{"topic":"t1","status":"changed","etag":"1","route":null},` + route + `]}`},
		{"routes", `{"revision":7,"routes":[{"topic":"t1","status":"unchanged","etag":""},` + route + `]}`},
		{"routes", `{"revision":7,"routes":[{"topic":"t1","status":"maybe"},` + route + `]}`},
		{"wipe", `{"addTopicCount":1}`},
		{"wipe", `{"wipeTopicCount":-1}`},
		{"add", `{"wipeTopicCount":1}`},
	} {
		inBubble(t, c.call+" "+c.body, func(t *testing.T) {
			client, _ := scripted(t, api.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				ours(w)
				io.WriteString(w, c.body)
			})
			unreachable(t, calls[c.call](t.Context(), client))
		})
	}
}

func TestOthersThanTheAPIAnswer(t *testing.T) {
	for name, spoil := range map[string]func(http.Header){
		"no revision":        func(h http.Header) { h.Del("Signpost-Revision") },
		"a wrong revision":   func(h http.Header) { h.Set("Signpost-Revision", "-1") },
		"too large a number": func(h http.Header) { h.Set("Signpost-Revision", "9007199254740992") },
		"no time":            func(h http.Header) { h.Del("Signpost-Valid-For") },
		"no JSON":            func(h http.Header) { h.Set("Content-Type", "text/html") },
		"no type":            func(h http.Header) { h.Del("Content-Type") },
		"another encoding":   func(h http.Header) { h.Set("Content-Encoding", "br") },
		"no gzip":            func(h http.Header) { h.Set("Content-Encoding", "gzip") },
	} {
		inBubble(t, name, func(t *testing.T) {
			client, _ := scripted(t, api.Options{}, func(w http.ResponseWriter, r *http.Request) {
				ours(w)
				spoil(w.Header())
				io.WriteString(w, `{"revision":7,"complete":true,"changes":[],"sessions":[]}`)
			})
			unreachable(t, calls["session"](t.Context(), client))
		})
	}
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// first checks what the first attempt comes to, and lets there be no other.
type first struct {
	t      *testing.T
	want   string
	cancel func()
}

func (f first) Called(_, result string, _ time.Duration) {
	if result != f.want {
		f.t.Errorf("the attempt came to %q, want %q", result, f.want)
	}
	f.cancel()
}

func (first) ClockOffset(time.Duration) {}

// TestAnswersOverConnections has what only a connection can do wrong.
func TestAnswersOverConnections(t *testing.T) {
	head := []byte(`{"wipeTopicCount":7}`)
	spaces := bytes.Repeat([]byte(" "), 17<<20)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		result string
	}{
		{"as it should be", func(w http.ResponseWriter, r *http.Request) { w.Write(head) }, "ok"},
		{"compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zip(head))
		}, "ok"},
		{"half a body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write(head)
		}, "malformed"},
		{"half a body in chunks", func(w http.ResponseWriter, r *http.Request) {
			w.Write(head)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "malformed"},
		{"half of what is compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := zip(head)
			w.Write(z[:len(z)-6])
		}, "malformed"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil { // until the client has gone
				w.Write(spaces[:1<<20])
			}
		}, "malformed"},
		{"said to be huge", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1099511627776")
			w.Write(head)
		}, "malformed"},
		{"huge when it is inflated", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zip(append(head, spaces...)))
		}, "malformed"},
		{"a huge header", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			w.Write(head)
		}, "unconnected"},
		{"no answer at all", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "unconnected"},
		{"not HTTP", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(conn, "SSH-2.0-OpenSSH\r\n")
				conn.Close()
			}
		}, "unconnected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ours(w)
				c.answer(w, r)
			}))
			defer server.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			client := newClient(t, api.Options{Endpoint: server.URL, Observer: first{t, c.result, cancel}})
			_, _, err := client.WipeWrite(ctx, "b1")
			if c.result != "ok" {
				unreachable(t, err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSlowBodyIsNotWaitedFor(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ours(w)
		for r.Context().Err() == nil { // until the client has gone
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	defer server.Close()
	client := newClient(t, api.Options{Endpoint: server.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.BeatSession(ctx, "s-1", 0)
	unreachable(t, err)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	client := newClient(t, api.Options{Endpoint: server.URL})
	_, err := client.BeatSession(t.Context(), "s-1", 0)
	if no := unreachable(t, err); no.Status != http.StatusTemporaryRedirect || followed.Load() > 0 {
		t.Errorf("%+v, followed %d times", no, followed.Load())
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		var opened atomic.Int64
		var proto atomic.Value
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			proto.Store(r.Proto)
			good(w, r)
		}))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				opened.Add(1)
			}
		}
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		transport := api.NewTransport()
		defer transport.CloseIdleConnections()
		transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		client := newClient(t, api.Options{Endpoint: server.URL, Transport: transport})
		for range 10 {
			if _, err := client.BeatSession(t.Context(), "s-1", 0); err != nil {
				t.Fatal(err)
			}
		}
		if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[http2]; opened.Load() != 1 || proto.Load() != want {
			t.Errorf("%d connections for 10 calls over %v, want 1 over %s", opened.Load(), proto.Load(), want)
		}
	}
}
