package cost_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"signpost/infra/cost"
)

// resource is what a month is paid for of a resource of the template.
type resource struct {
	Type       string `yaml:"Type"`
	Properties struct {
		MemorySize float64   `yaml:"MemorySize"`
		Namespace  string    `yaml:"Namespace"`
		MetricName string    `yaml:"MetricName"`
		Metrics    yaml.Node `yaml:"Metrics"` // of an alarm over more than one
		Dashboard  string    `yaml:"DashboardBody"`
	} `yaml:"Properties"`
}

// TestTheBillIsOfTheTemplate holds what the months assume of the stack to
// template.yaml.
func TestTheBillIsOfTheTemplate(t *testing.T) {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]struct {
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]resource `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	of := map[string]float64{}
	watched := map[string]bool{} // custom metrics that have values only when something is wrong
	var shown []string           // custom metrics
	for name, r := range template.Resources {
		of[r.Type]++
		for _, m := range regexp.MustCompile(`"Signpost", "(\w+)"`).FindAllStringSubmatch(r.Properties.Dashboard, -1) {
			shown = append(shown, m[1])
		}
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		if r.Properties.MetricName == "" || !r.Properties.Metrics.IsZero() {
			t.Errorf("%s is paid for more than one metric", name)
		}
		if !strings.HasPrefix(r.Properties.Namespace, "AWS/") {
			watched[r.Properties.MetricName] = true
		}
	}
	a := cost.Defaults()
	for what, c := range map[string]struct{ assumed, is float64 }{
		"alarms":                          {a.Alarms, of["AWS::CloudWatch::Alarm"]},
		"dashboards":                      {a.Dashboards, of["AWS::CloudWatch::Dashboard"]},
		"memory of the register function": {a.RegisterMB, template.Resources["RegisterFunction"].Properties.MemorySize},
		"memory of the route function":    {a.RouteMB, template.Resources["RouteFunction"].Properties.MemorySize},
		"memory of the sweeper":           {a.SweeperMB, template.Resources["SweeperFunction"].Properties.MemorySize},
		"tables":                          {1, of["AWS::DynamoDB::GlobalTable"] + of["AWS::DynamoDB::Table"]},
		"functions":                       {3, of["AWS::Serverless::Function"] + of["AWS::Lambda::Function"]},
	} {
		if c.assumed != c.is {
			t.Errorf("%s: %v in the template, %v in the bill", what, c.is, c.assumed)
		}
	}
	usual := slices.DeleteFunc(shown, func(name string) bool { return watched[name] })
	if len(watched) == 0 || len(usual) == 0 || float64(len(usual)) > a.Series {
		t.Errorf("%q have values all month, the bill has %v of them; alarms watch %v", usual, a.Series, watched)
	}
	if arm := template.Parameters["Architecture"].Default.Value; arm != "arm64" {
		t.Errorf("functions are %s, the bill has the price of arm64", arm)
	}
	// Everything else that the template has is free, or in the bill by use.
	known := []string{
		"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::DynamoDB::GlobalTable", "AWS::Serverless::Function",
		"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage",
		"AWS::Events::EventBus", "AWS::Events::Rule", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::Lambda::Permission",
		"AWS::Logs::LogGroup", "AWS::Logs::ResourcePolicy", "AWS::SQS::Queue",
	}
	for kind := range of {
		if !slices.Contains(known, kind) {
			t.Errorf("what does an %s cost?", kind)
		}
	}
}
