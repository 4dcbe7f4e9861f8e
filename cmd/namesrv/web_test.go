package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// do makes one call of the HTTP API.
func (p *program) do(method, path, body string) (int, http.Header, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.Web+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// want is do, and wants that status.
func (p *program) want(status int, method, path, body string) string {
	p.t.Helper()
	got, _, text := p.do(method, path, body)
	if got != status {
		p.t.Fatalf("%s %s: %d %s, want %d", method, path, got, text, status)
	}
	return text
}

// webRegistration is a registration over HTTP.
func webRegistration(broker, addr, topic string) string {
	return fmt.Sprintf(`{"clusterName":"c","brokerName":%q,"brokerId":0,"brokerAddr":%q,"topicConfigTable":{%q:{"topicName":%q,"readQueueNums":4,"writeQueueNums":4,"perm":6}}}`,
		broker, addr, topic, topic)
}

// register registers a broker on a connection, with a topic beside that one:
// one topic of an unknown broker is refused on TCP.
func (p *program) register(c net.Conn, broker, addr, topic string) {
	p.t.Helper()
	if got := p.Call(c, registration(broker, addr, topic, broker+"-own")); got.Code != remoting.Success {
		p.t.Fatalf("register %s: %d %s", broker, got.Code, got.Remark)
	}
}

// routes returns the topic's route over TCP and over HTTP.
func (p *program) routes(topic string) [2]string {
	p.t.Helper()
	got := p.Call(nil, routeOf(topic))
	_, _, body := p.do(http.MethodGet, "/v1/read/route?topic="+url.QueryEscape(topic), "")
	return [2]string{fmt.Sprint(got.Code, " ", string(got.Body)), body}
}

func (p *program) wantRoutes(topic string, brokers ...string) {
	p.t.Helper()
	for i, text := range p.routes(topic) {
		for _, b := range []string{"b1", "b2"} {
			if has := strings.Contains(text, `"brokerName":"`+b+`"`); has != slices.Contains(brokers, b) {
				p.t.Fatalf("front %d: want %v in %s", i, brokers, text)
			}
		}
	}
}

func TestBrokersOfBothFrontsStandInOneRoute(t *testing.T) {
	const topic = "%RETRY%billing"
	p := launch(t, t.TempDir())
	p.want(200, http.MethodPut, "/v1/register/broker", webRegistration("b2", "10.0.0.2:10911", topic))
	if got := p.want(200, http.MethodPost, "/v1/register/beats", `{"beats":[{"clusterName":"c","brokerName":"b2","brokerId":0,"brokerAddr":"10.0.0.2:10911"}]}`); got != `{"answers":["ok"]}` {
		t.Errorf("the beat: %s", got)
	}
	c := p.Dial()
	defer c.Close()
	p.register(c, "b1", "10.0.0.1:10911", topic)
	p.wantRoutes(topic, "b1", "b2")

	p.want(204, http.MethodPost, "/v1/register/unregister", `{"clusterName":"c","brokerName":"b2","brokerId":0,"brokerAddr":"10.0.0.2:10911"}`)
	p.wantRoutes(topic, "b1")
	if _, body := p.Get("/metrics"); !strings.Contains(body, `signpost_http_requests_total{code="200",method="put"} 1`) {
		t.Errorf("/metrics does not count the registration: %s", body)
	}
}

func TestOneBrokerOnBothFronts(t *testing.T) {
	p := launch(t, t.TempDir())
	c := p.Dial()
	defer c.Close()
	p.register(c, "b1", "10.0.0.1:10911", "t1")
	p.want(200, http.MethodPut, "/v1/register/broker", webRegistration("b1", "10.0.0.1:10911", "t1"))
	c.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, body := p.Get("/metrics"); strings.Contains(body, "signpost_connections 0\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection does not end")
		}
	}
	p.wantRoutes("t1", "b1")
	if got := p.want(200, http.MethodGet, "/v1/read/group?broker=b1", ""); !strings.Contains(got, `"direct":true`) {
		t.Errorf("b1 by its HTTPS heartbeats: %s", got)
	}
}

func TestCallsInFlightAreAnsweredOnStopping(t *testing.T) {
	p := launch(t, t.TempDir())
	c, err := net.Dial("tcp", strings.TrimPrefix(p.Web, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	body := webRegistration("b1", "10.0.0.1:10911", "t1")
	fmt.Fprintf(c, "PUT /v1/register/broker HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	r := bufio.NewReader(c)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} { // so the call is being worked on
		if line, err := r.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q, %v", line, err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop() }()
	for deadline := time.Now().Add(patience); !strings.Contains(p.Stderr.String(), "the NameServer drains"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not begin to stop")
		}
	}
	io.WriteString(c, body)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v, %v", res, err)
	}
	res.Body.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestRoutesOverHTTPWaitForBrokersToo(t *testing.T) {
	p := launch(t, t.TempDir(), "--needWaitForService", "true", "--waitSecondsForService", "3600")
	p.want(200, http.MethodPut, "/v1/register/broker", webRegistration("b1", "10.0.0.1:10911", "t1"))
	code, header, body := p.do(http.MethodGet, "/v1/read/route?topic=t1", "")
	if code != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "needWaitForService") {
		t.Errorf("%d %v %s", code, header, body)
	}
	if got := p.Call(nil, routeOf("t1")); got.Code == remoting.Success {
		t.Errorf("TCP does not wait: %s", got.Body)
	}
}

func TestTheWebIsBounded(t *testing.T) {
	p := launch(t, t.TempDir(), "--maxRegistrationBytes", "65536", "--maxFrameBytes", "65536")
	p.want(413, http.MethodPut, "/v1/register/broker", strings.Repeat(" ", 65537))
	p.want(431, http.MethodGet, "/v1/read/route?topic="+strings.Repeat("x", 32<<10), "")
	for _, path := range []string{"/v1/", "/v1//read/route", "/v1/read/../read/route"} {
		if got := p.want(404, http.MethodGet, path, ""); !strings.Contains(got, "urn:signpost:problem:no-such-call") {
			t.Errorf("%s: %s", path, got)
		}
	}
}
