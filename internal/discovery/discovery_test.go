package discovery

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// start runs a server of fixed addresses until the test ends, and returns its URL.
func start(t *testing.T, servers ...string) string {
	t.Helper()
	s, err := Listen("127.0.0.1:0", Options{Servers: servers, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + s.Addr().String()
}

func TestTheListIsAnsweredInOneLine(t *testing.T) {
	url := start(t, "10.0.0.2:9876", "[2001:db8::1]:9877", "10.0.0.1:9876", "10.0.0.2:9876")
	const want = "10.0.0.1:9876;10.0.0.2:9876;[2001:db8::1]:9877"
	for _, path := range []string{"/rocketmq/nsaddr", "/rocketmq/nsaddr-unit1?nofix=1", "/rocketmq/nsaddr?nofix=1&a=b"} {
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || string(body) != want {
			t.Errorf("GET %s: %s %q, %v; want %q", path, answer.Status, body, err, want)
		}
		if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("GET %s: Content-Type %s", path, kind)
		}
		if !answer.Close {
			t.Errorf("GET %s: the connection is kept for two minutes", path)
		}
	}
}

func TestNothingElseIsThere(t *testing.T) {
	l, err := newList(Options{Servers: []string{"10.0.0.1:9876"}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/":                      http.StatusNotFound,
		"/rocketmq":              http.StatusNotFound,
		"/rocketmq/nsaddr/":      http.StatusNotFound,
		"/rocketmq/nsaddr-":      http.StatusNotFound,
		"/rocketmq/nsaddr-a/b":   http.StatusNotFound,
		"/rocketmq/nsaddrs":      http.StatusNotFound,
		"//rocketmq/nsaddr":      http.StatusNotFound,
		"/rocketmq/../nsaddr":    http.StatusNotFound,
		"/rocketmq/nsaddr-u":     http.StatusOK,
		"/rocketmq/nsaddr-a%20b": http.StatusOK,
	} {
		w := httptest.NewRecorder()
		handler(l).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
	for method, want := range map[string]int{http.MethodHead: http.StatusOK, http.MethodPost: http.StatusMethodNotAllowed} {
		w := httptest.NewRecorder()
		handler(l).ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", method, w.Code, want)
		}
	}
}

func TestServersThatCannotBeListed(t *testing.T) {
	for _, servers := range [][]string{
		nil, {"10.0.0.1"}, {":9876"}, {"10.0.0.1:0"}, {"10.0.0.1:65536"}, {"a:b:9876"}, make([]string, MaxServers+1),
	} {
		if s, err := Listen("127.0.0.1:0", Options{Servers: servers, Log: quiet}); err == nil {
			s.Close()
			t.Errorf("Listen with %q: no error", servers)
		}
	}
}

func TestAPortInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if s, err := Listen(l.Addr().String(), Options{Servers: []string{"10.0.0.1:9876"}, Log: quiet}); err == nil {
		s.Close()
		t.Error("no error")
	}
}

func TestAHeaderWithoutAnEndIsNotReadForEver(t *testing.T) {
	url := start(t, "10.0.0.1:9876")
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /rocketmq/nsaddr HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 4*maxHeader)); err != nil {
		t.Fatal(err)
	}
	// It does not wait for the end, which never comes.
	answer, err := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") {
		t.Errorf("%q, %v; want 431", answer, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newBounded(inner, 2)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first, second := <-accepted, <-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("one too many reads %d bytes, %v; want it closed", n, err)
	}
	first.Close()
	first.Close() // makes room once
	dial()
	third := <-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("one too many after another left reads %d bytes, %v; want it closed", n, err)
	}
	second.Close()
	third.Close()
	l.Close()
	<-accepted
}
