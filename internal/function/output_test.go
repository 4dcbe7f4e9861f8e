package function_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/internal/eventbridge"
	"signpost/internal/function"
)

func TestSettings(t *testing.T) {
	env := map[string]string{
		"LOG_LEVEL": "LOUD", "GUARD_SECONDS": "-1", "CLUSTERS": "[]", "BASE_PATH": "x", "SUPPORT_ACTING_MASTER": "yes",
	}
	_, err := function.ReadSettings(func(name string) string { return env[name] }, true)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"TABLE_NAME", "EVENT_BUS_NAME", "LOG_LEVEL", "GUARD_SECONDS", "CLUSTERS", "BASE_PATH", "SUPPORT_ACTING_MASTER"} {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	for _, clusters := range []string{`{"":["c"]}`, `{"a":[""]}`, `{"a":"*"}`, `{`,
		`{"arn:aws:sts::111122223333:assumed-role/shims/shim-1":["c"]}`, `{"arn:aws:sts::111122223333:assumed-role/shims":["c"]}`} {
		if c, err := function.ParseClusters(clusters); err == nil {
			t.Errorf("%s is %v", clusters, c)
		}
	}
	if _, err := function.ReadSettings(func(name string) string { return map[string]string{"TABLE_NAME": "t"}[name] }, false); err != nil {
		t.Errorf("without what has a default: %v", err)
	}
}

// TestWhatIsLogged: a line for each change, with Lambda's keys and the
// request; none for a heartbeat, a repetition or a lookup.
func TestWhatIsLogged(t *testing.T) {
	i := newInstance(t, nil)
	r := i.Register()
	call(t, r, register(), 200)
	var said []string
	for _, line := range i.lines(t) {
		if line["_aws"] != nil {
			continue
		}
		said = append(said, line["message"].(string))
		if line["level"] != "INFO" || line["timestamp"] == nil || line["requestId"] != "request-1" || line["brokerName"] != "broker-a" {
			t.Errorf("line %v", line)
		}
	}
	if got := strings.Join(said, " "); got != "BrokerRegistered TopicRouteChanged" {
		t.Errorf("lines %q", got)
	}
	i.table.step(time.Hour)
	call(t, r, register(), 200) // it has expired: that is news
	i.lines(t)
	i.table.step(2 * time.Minute)
	i.table.step(-time.Minute)
	call(t, r, register(), 200)
	call(t, r, event("POST", "/v1/register/beats", "", `{"beats":[{"clusterName":"c","brokerName":"broker-a","brokerId":0,"brokerAddr":"10.0.0.1:10911"}]}`), 200)
	call(t, i.Route(), event("GET", "/v1/read/route", "topic=%25RETRY%25group", ""), 200)
	call(t, i.Route(), event("GET", "/v1/read/route", "topic=t", ""), 404)
	for _, line := range i.lines(t) {
		t.Errorf("line %v", line)
	}
}

// TestWhatWaitsIsLogged: a bus that refuses is a warning, and no caller's fault.
func TestWhatWaitsIsLogged(t *testing.T) {
	i := newInstance(t, nil)
	i.box.err = errors.New("the bus is away")
	call(t, i.Register(), register(), 200)
	found := false
	for _, line := range i.lines(t) {
		found = found || line["level"] == "WARN" && line["message"] == "events wait" && line["error"] == "the bus is away"
	}
	if !found {
		t.Error("nothing was said")
	}
}

// TestABusThatFailedIsLoggedOnce: not again for everything that it is not even
// asked to take.
func TestABusThatFailedIsLoggedOnce(t *testing.T) {
	i := newInstance(t, nil)
	i.box.err = fmt.Errorf("put: %w", eventbridge.ErrResting)
	call(t, i.Register(), register(), 200)
	for _, line := range i.lines(t) {
		if line["_aws"] == nil {
			t.Errorf("line %v", line)
		}
	}
}

// metrics returns the embedded metrics among the lines.
func metrics(t *testing.T, i *instance) (all []map[string]any) {
	for _, line := range i.lines(t) {
		if line["_aws"] != nil {
			all = append(all, line)
		}
	}
	return all
}

// TestMetrics: summed up, once a minute, and nothing that is zero.
func TestMetrics(t *testing.T) {
	i := newInstance(t, nil)
	r := i.Register()
	changed := func(topic string) {
		body := strings.ReplaceAll(strings.Replace(registration, `"counter":1}`, `"counter":2},"partial":true`, 1), "%RETRY%group", topic)
		call(t, r, event("PUT", "/v1/register/broker", "", body), 200)
	}
	quiet := func() { call(t, i.Route(), event("GET", "/v1/read/clusters", "", ""), 200) }
	call(t, r, register(), 200)
	first := metrics(t, i)
	if len(first) != 1 || first[0]["RegistrationsChanged"] != 1.0 || first[0]["Stack"] != "the-stack" {
		t.Fatalf("metrics %v", first)
	}
	aws := first[0]["_aws"].(map[string]any)
	d := aws["CloudWatchMetrics"].([]any)[0].(map[string]any)
	if aws["Timestamp"] != float64(epoch.UnixMilli()) || d["Namespace"] != "Signpost" || d["Dimensions"].([]any)[0].([]any)[0] != "Stack" {
		t.Errorf("metrics %v", first)
	}
	if named := d["Metrics"].([]any); len(named) != 1 || named[0].(map[string]any)["Name"] != "RegistrationsChanged" || named[0].(map[string]any)["Unit"] != "Count" {
		t.Errorf("metrics %v", first)
	}
	i.table.step(10 * time.Second) // the same minute
	changed("another")
	changed("a third")
	if m := metrics(t, i); len(m) != 0 {
		t.Errorf("twice in a minute: %v", m)
	}
	i.table.step(50 * time.Second)
	quiet()
	if m := metrics(t, i); len(m) != 1 || m[0]["RegistrationsChanged"] != 2.0 {
		t.Errorf("a minute later %v", m)
	}
	i.table.step(time.Minute)
	quiet()
	if m := metrics(t, i); len(m) != 0 {
		t.Errorf("of nothing: %v", m)
	}
	i.table.units = 499
	quiet()
	if m := metrics(t, i); len(m) != 0 {
		t.Errorf("of few units: %v", m)
	}
	i.table.units = 700
	quiet()
	if m := metrics(t, i); len(m) != 1 || m[0]["PartitionUnits"] != 700.0 {
		t.Errorf("near the limit %v", m)
	}
}
