package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func values(lists map[string]map[Server][]float64) Values { return Values(lists) }

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
		ok     bool
	}{
		{nil, 0, false},
		{[]float64{5}, 5, true},
		{[]float64{9, 1, 4}, 4, true},
		{[]float64{4, 1, 2, 100}, 3, true},
	} {
		v := values(map[string]map[Server][]float64{"row": {Ours: tt.values}})
		if got, ok := v.Median("row", Ours); got != tt.want || ok != tt.ok {
			t.Errorf("median of %v is %v, %v", tt.values, got, ok)
		}
	}
}

func TestQuotient(t *testing.T) {
	for _, tt := range []struct {
		over, under []float64
		want        float64
		ok          bool
	}{
		{nil, nil, 0, false},
		{[]float64{6}, []float64{2}, 3, true},
		{[]float64{6, 1, 30}, []float64{2, 1, 15}, 2, true}, // not 6 / 2
		{[]float64{6, 6}, []float64{2}, 0, false},
		{[]float64{6}, []float64{0}, 0, false},
	} {
		if got, ok := Quotient(tt.over, tt.under); got != tt.want || ok != tt.ok {
			t.Errorf("%v by %v is %v, %v", tt.over, tt.under, got, ok)
		}
	}
}

func TestJudge(t *testing.T) {
	v := Values{}
	for s, x := range map[Server]float64{Java: 100, Ours: 500, Canned: 800} {
		v.Add("rate", s, x)
	}
	v.Add("idle", Ours, 2)
	v.Add("busy", Ours, 6)
	v.Add("busy", Java, 1000)
	for _, tt := range []struct {
		row    string
		target Target
		want   Verdict
	}{
		{"rate", Target{AtLeast: true, Factor: 5, Server: Java}, OK},
		{"rate", Target{AtLeast: true, Factor: 5.01, Server: Java}, Miss},
		{"rate", Target{AtLeast: true, Factor: 0.625, Server: Canned}, OK},
		{"rate", Target{AtLeast: true, Factor: 0.65, Server: Canned}, Miss},
		{"busy", Target{Factor: 3, Of: "idle"}, OK},
		{"busy", Target{Factor: 2.9, Of: "idle"}, Miss},
		{"busy", Target{Factor: 6}, OK},
		{"busy", Target{Factor: 5.9}, Miss},
		{"busy", Target{Factor: 1, Server: Canned}, Open},
		{"busy", Target{Factor: 1, Of: "never"}, Open},
		{"never", Target{Factor: 1}, Open},
	} {
		if got := v.Judge(tt.row, tt.target); got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.row, tt.target, got, tt.want)
		}
	}
}

func TestJudgeRowIsTheWorstOfItsTargets(t *testing.T) {
	v := Values{}
	v.Add("row", Ours, 10)
	ok, miss, open := Target{Factor: 10}, Target{Factor: 9}, Target{Factor: 1, Server: Java}
	for _, tt := range []struct {
		targets []Target
		want    Verdict
	}{
		{nil, ""},
		{[]Target{ok, ok}, OK},
		{[]Target{ok, open}, Open},
		{[]Target{open, ok}, Open},
		{[]Target{open, miss}, Miss},
		{[]Target{miss, ok, open}, Miss},
	} {
		r := Row{Key: "row", Name: "the row", Targets: tt.targets}
		if got := v.JudgeRow(r); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.targets, got, tt.want)
		}
		if missed := v.Missed([]Row{r}); slices.Contains(missed, "the row") != (tt.want == Miss) {
			t.Errorf("%v: missed are %v", tt.targets, missed)
		}
	}
}

func TestFormat(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0.00", 0.666: "0.67", 9.5: "9.50", 12.34: "12.3", 100: "100", 999.6: "1,000",
		12345.6: "12,346", 1234567: "1,234,567",
	} {
		if got := format(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}

// sample is a measurement of two rows with a target and one without.
func sample() Measurement {
	v := Values{}
	for _, x := range []float64{11_000, 10_000, 12_000} {
		v.Add("route", Java, x)
		v.Add("route", Ours, 6*x)
		v.Add("route", Canned, 9*x)
	}
	v.Add("start", Ours, 31)
	v.Add("idle", Ours, 0.5)
	return Measurement{
		Date:  time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		Facts: []Fact{{"machine", "two cores"}},
		Rows: []Row{
			{Key: "route", Name: "queries", Unit: "/s", Targets: []Target{{AtLeast: true, Factor: 5, Server: Java}, {AtLeast: true, Factor: .65, Server: Canned}}},
			{Key: "start", Name: "start", Unit: "ms", Targets: []Target{{Factor: 30}}},
			{Key: "never", Name: "not measured", Unit: "ms", Targets: []Target{{Factor: 30}}},
			{Key: "idle", Name: "idle", Unit: "ms"},
		},
		Values: v,
	}
}

func TestTables(t *testing.T) {
	m := sample()
	want := strings.TrimPrefix(`
|         | unit |   Java | Signpost | canned | Signpost : Java | Signpost : canned | target                         | verdict |
| ------- | ---- | -----: | -------: | -----: | --------------: | ----------------: | ------------------------------ | ------- |
| queries | /s   | 11,000 |   66,000 | 99,000 |            6.00 |              0.67 | >= 5 x Java, >= 65 % of canned | ok      |
| start   | ms   |      - |     31.0 |      - |               - |                 - | <= 30                          | MISS    |

| beside | unit | Java | Signpost | canned |
| ------ | ---- | ---: | -------: | -----: |
| idle   | ms   |    - |     0.50 |      - |
`, "\n")
	if got := m.Values.Tables(m.Rows); got != want {
		t.Errorf("tables:\n%s\nwant:\n%s", got, want)
	}
	if got := m.Values.Spread(m.Rows); !strings.Contains(got, "10,000 .. 12,000") {
		t.Errorf("spread:\n%s", got)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	if err := sample().Write(dir); err != nil {
		t.Fatal(err)
	}
	for name, parts := range map[string][]string{
		"latest.md":   {"2026-01-02", "| queries |", "- machine: two cores"},
		"latest.json": {`"route"`, "11000", `"two cores"`},
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(string(b), part) {
				t.Errorf("%s lacks %q:\n%s", name, part, b)
			}
		}
	}
}
