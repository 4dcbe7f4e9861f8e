package infra_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"signpost/internal/dynamo"
)

// maxAlarms is what the monthly cost has room for.
const maxAlarms = 8

// metrics are the names that functions write metrics by, and their namespace.
func metrics(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/function/metrics.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			for _, v := range s.(*ast.ValueSpec).Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					name, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					names = append(names, name)
				}
			}
		}
	}
	if !slices.Contains(names, "Signpost") || len(names) < 5 {
		t.Fatalf("internal/function/metrics.go has no longer the metrics' names: %q", names)
	}
	return names
}

func TestAlarmsAreFewAndOfOneMetric(t *testing.T) {
	stack := readTemplate(t)
	alarms := stack.of("AWS::CloudWatch::Alarm")
	if len(alarms) > maxAlarms {
		t.Errorf("%d alarms, more than %d", len(alarms), maxAlarms)
	}
	for _, a := range alarms {
		p := a.properties
		if p["MetricName"] == nil || p["Metrics"] != nil {
			t.Errorf("%s is not of one metric", a.id)
		}
		if p["AlarmDescription"] == nil || p["AlarmActions"] == nil || p["TreatMissingData"] == nil {
			t.Errorf("%s does not say what it means, whom it tells, or what silence is", a.id)
		}
		if p["Namespace"] != "Signpost" {
			continue
		}
		if !slices.Contains(metrics(t), p["MetricName"].(string)) {
			t.Errorf("%s: no function writes %v", a.id, p["MetricName"])
		}
		dimensions, _ := p["Dimensions"].([]any)
		if len(dimensions) != 1 || at(dimensions[0], "Name") != "Stack" || at(dimensions[0], "Value", "Ref") != "AWS::StackName" {
			t.Errorf("%s: the dimensions are %v, functions write one: Stack", a.id, dimensions)
		}
	}
	if near := stack.named("PartitionUnitsAlarm").properties["Threshold"]; near != dynamo.NearUnits {
		t.Errorf("PartitionUnitsAlarm is at %v, functions write the metric from %v", near, dynamo.NearUnits)
	}
	silent := stack.named("SweeperSilentAlarm").properties
	if silent["Period"] != 60 || silent["EvaluationPeriods"] != 3 || silent["TreatMissingData"] != "breaching" {
		t.Errorf("SweeperSilentAlarm does not tell after 3 minutes of silence: %v", silent)
	}
}

func TestTheDashboardShowsWhatIsWritten(t *testing.T) {
	boards := readTemplate(t).of("AWS::CloudWatch::Dashboard")
	if len(boards) != 1 {
		t.Fatalf("%d dashboards", len(boards))
	}
	body := at(boards[0].properties, "DashboardBody", "Fn::Sub").(string)
	body = regexp.MustCompile(`\$\{[^}]+\}`).ReplaceAllString(body, "x")
	var board struct {
		Widgets []struct {
			Properties struct{ Metrics [][]any }
		}
	}
	if err := json.Unmarshal([]byte(body), &board); err != nil {
		t.Fatalf("the dashboard is not JSON: %v", err)
	}
	var shown []string
	for _, w := range board.Widgets {
		for _, m := range w.Properties.Metrics {
			if m[0] == "Signpost" {
				shown = append(shown, m[1].(string))
			}
		}
	}
	want := slices.DeleteFunc(metrics(t), func(name string) bool { return name == "Signpost" })
	slices.Sort(shown)
	slices.Sort(want)
	if !slices.Equal(shown, want) {
		t.Errorf("the dashboard shows %q, functions write %q", shown, want)
	}
}
