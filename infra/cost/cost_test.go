package cost_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"signpost/infra/cost"
)

var update = flag.Bool("update", false, "write bench/results/cost.md anew")

// TestOperationsStayWithinTheirBudgets holds what e2e/dynamo holds the code
// to against what the design allows.
func TestOperationsStayWithinTheirBudgets(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range cost.Operations() {
		if o.Takes.Write > o.Budget.Write || o.Takes.Read > o.Budget.Read {
			t.Errorf("%s takes %v, the budget is %v", o.Name, o.Takes, o.Budget)
		}
		if o.Takes == (cost.Units{}) || seen[o.Name] {
			t.Errorf("%s takes nothing, or stands there twice", o.Name)
		}
		seen[o.Name] = true
	}
}

// TestMonths holds what is promised: at list prices, without free tiers.
func TestMonths(t *testing.T) {
	a := cost.Defaults()
	for _, c := range []struct {
		what    string
		month   cost.Month
		dollars float64
	}{
		{"idle", a.Idle(), 1},
		{"1,000 brokers behind two shims", a.BehindShims(1_000), 5},
		{"10,000 brokers behind two shims", a.BehindShims(10_000), 6},
	} {
		list, free := c.month.Usage().Dollars(false), c.month.Usage().Dollars(true)
		if list > c.dollars {
			t.Errorf("%s: $%.2f a month, promised are $%.2f", c.what, list, c.dollars)
		}
		if free >= list {
			t.Errorf("%s: $%.2f with free tiers, $%.2f without", c.what, free, list)
		}
	}
	if a.BehindShims(10_000).Usage().Dollars(false) > cost.Java() {
		t.Error("two instances would be cheaper")
	}
}

// TestByHand computes some sums in another way.
func TestByHand(t *testing.T) {
	a := cost.Defaults()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.005 {
			t.Errorf("%s: $%.4f, by hand $%.4f", what, got, want)
		}
	}
	part := func(m cost.Month, cause string) cost.Usage {
		for _, p := range m.Parts {
			if p.Cause == cause {
				return p.Usage
			}
		}
		t.Fatalf("nothing is caused by %s", cause)
		return cost.Usage{}
	}
	// 2 shims, 12 beats a minute, 43,200 minutes: 1,036,800 calls. The function
	// runs 10 ms of 0.5 GB: 5,184 GB-s.
	beats := part(a.BehindShims(1_000), "session beats")
	near("calls of beats", cost.APICalls.Dollars(beats[cost.APICalls], false), 1.0368)
	near("requests of beats", cost.Requests.Dollars(beats[cost.Requests], false), 0.2074)
	near("compute of beats", cost.Compute.Dollars(beats[cost.Compute], false), 0.0691)
	near("writes of beats", cost.Writes.Dollars(beats[cost.Writes], false), 0.6480)
	near("reads of beats", cost.Reads.Dollars(beats[cost.Reads], false), 0.0648)
	// 1,000 brokers beat 2,880 times a day each: 86.4 million calls and writes.
	direct := part(a.OverHTTPS(1_000), "heartbeats")
	near("calls of 1,000 brokers", cost.APICalls.Dollars(direct[cost.APICalls], false), 86.40)
	near("writes of 1,000 brokers", cost.Writes.Dollars(direct[cost.Writes], false), 54.00)
	// The million requests that are free come off once, not for each part.
	near("requests beyond the free ones", cost.Requests.Dollars(1_500_000, true), 0.10)
	near("alarms", part(a.Idle(), "alarms, metrics, dashboard").Dollars(false), 0.80)
	a.OtherDashboards = 3
	near("a fourth dashboard", part(a.Idle(), "alarms, metrics, dashboard").Dollars(false), 3.80)
	a.OtherDashboards = 5
	near("a sixth dashboard", part(a.Idle(), "alarms, metrics, dashboard").Dollars(false), 3.80)
}

// TestMoreIsNeverCheaper holds for everything that makes work, and for fewer
// seconds or minutes between two calls.
func TestMoreIsNeverCheaper(t *testing.T) {
	less := map[string]bool{"beat": true, "reconcile": true, "heartbeat": true, "lookup": true}
	sum := func(a cost.Assumptions) float64 {
		return a.BehindShims(1_000).Usage().Dollars(false) + a.OverHTTPS(1_000).Usage().Dollars(false)
	}
	before := cost.Defaults()
	for i, f := range before.Fields() {
		if f.Name == "groups-per-topic" {
			continue // more of them are fewer topics
		}
		after := before
		value := after.Fields()[i].Value
		if *value = 2**value + 1; less[f.Name] {
			*value = *f.Value / 2
		}
		if sum(after) < sum(before) {
			t.Errorf("--%s %v: $%.4f, before $%.4f", f.Name, *value, sum(after), sum(before))
		}
	}
}

func TestEveryAssumptionIsToldAndCanBeSet(t *testing.T) {
	var a cost.Assumptions
	fields := a.Fields()
	names := map[string]bool{}
	for _, f := range fields {
		*f.Value = 1
		names[f.Name] = true
	}
	all := reflect.ValueOf(a)
	for i := range all.NumField() {
		if all.Field(i).Float() != 1 {
			t.Errorf("%s is no field", all.Type().Field(i).Name)
		}
	}
	if len(names) != len(fields) || len(fields) != all.NumField() {
		t.Errorf("%d names of %d fields for %d assumptions", len(names), len(fields), all.NumField())
	}
}

func TestCheck(t *testing.T) {
	a := cost.Defaults()
	if err := a.Check(); err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Fields() {
		was := *f.Value
		for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
			if *f.Value = bad; a.Check() == nil {
				t.Errorf("--%s %v is taken", f.Name, bad)
			}
		}
		*f.Value = 0
		if err := a.Check(); err == nil {
			if d := a.BehindShims(1_000).Usage().Dollars(false) + a.OverHTTPS(1_000).Usage().Dollars(false); math.IsNaN(d) || math.IsInf(d, 0) {
				t.Errorf("--%s 0: a month costs %v", f.Name, d)
			}
		}
		*f.Value = was
	}
}

// TestRecord keeps the record of what `make cost` prints.
func TestRecord(t *testing.T) {
	const path = "../../bench/results/cost.md"
	var out bytes.Buffer
	out.WriteString("# What it costs\n\nWhat `make cost` prints; `go test ./infra/cost -update` writes this file anew.\n\n")
	if err := cost.Print(&out, cost.Defaults()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(recorded, out.Bytes()) {
		t.Errorf("%s is not what is printed: go test ./infra/cost -update", path)
	}
}

// TestReadme keeps the sums that the README tells.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	a := cost.Defaults()
	for what, month := range map[string]func(float64) cost.Month{"shims": a.BehindShims, "HTTPS": a.OverHTTPS, "the table": a.OverTheTable} {
		var sums []string
		for _, brokers := range []float64{100, 1_000, 10_000} {
			sums = append(sums, fmt.Sprintf("%.2f", month(brokers).Usage().Dollars(false)))
		}
		if row := strings.Join(sums, " | ") + " |"; !bytes.Contains(readme, []byte(row)) {
			t.Errorf("over %s a month costs %s", what, row)
		}
	}
	for _, sum := range []float64{a.Idle().Usage().Dollars(false), cost.Java()} {
		if !bytes.Contains(readme, fmt.Appendf(nil, "| %.2f |", sum)) {
			t.Errorf("nothing costs %.2f", sum)
		}
	}
}
