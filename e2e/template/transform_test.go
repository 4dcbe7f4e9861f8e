//go:build e2e

package template_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parameters are those that the stack is tried with: the defaults, and all
// that is off switched on.
var parameters = map[string][]string{
	"defaults": nil,
	"all on": {
		"JwtIssuer=https://issuer.example", "JwtAudience=a,b", "SweeperConcurrency=2", "LogEvents=true", "Architecture=x86_64",
		"AlarmTopicArn=arn:aws:sns:us-east-1:123456789012:alarms", "DynamoDBEndpoint=https://a.example", "EventBridgeEndpoint=https://b.example",
	},
}

func TestLint(t *testing.T) {
	if _, err := run(t, nil, "cfn-lint", "template.yaml"); err != nil {
		t.Error(err)
	}
	if _, err := run(t, nil, "sam", "validate", "--lint"); err != nil {
		t.Error(err)
	}
}

func TestTransform(t *testing.T) {
	for name, values := range parameters {
		t.Run(name, func(t *testing.T) {
			out, err := transform(t, readTemplate(t), values...)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "transformed.json")
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := run(t, nil, "cfn-lint", path); err != nil {
				t.Errorf("what CloudFormation gets: %v", err)
			}
			checkStack(t, resolve(t, out, values), values != nil)
		})
	}
}

// TestTheTransformRefuses shows that TestTransform can fail: linters pass this.
func TestTheTransformRefuses(t *testing.T) {
	broken := bytes.Replace(readTemplate(t), []byte("OmitName: true"), []byte("OmitName: true\n            Name: sweep"), 1)
	if _, err := transform(t, broken); err == nil || !strings.Contains(err.Error(), "OmitName") {
		t.Errorf("a schedule with and without a name: %v", err)
	}
}

// checkStack checks what the transform made, with and without what parameters
// switch on.
func checkStack(t *testing.T, resources map[string]resource, on bool) {
	t.Helper()
	count := map[string]int{}
	for id, r := range resources {
		count[r.Type]++
		if strings.HasPrefix(r.Type, "AWS::Serverless::") {
			t.Errorf("%s is %s, which CloudFormation does not know", id, r.Type)
		}
		switch r.Type {
		case "AWS::Scheduler::Schedule":
			target, _ := r.Properties["Target"].(map[string]any)
			if r.Properties["Name"] != nil || target["RetryPolicy"] == nil || target["DeadLetterConfig"] == nil || target["Input"] == nil {
				t.Errorf("the schedule is %v", r.Properties)
			}
		case "AWS::Lambda::EventInvokeConfig":
			if retries := r.Properties["MaximumRetryAttempts"]; retries != 0.0 {
				t.Errorf("a tick is run again %v times", retries)
			}
		case "AWS::ApiGatewayV2::Route":
			want := map[bool]string{false: "AWS_IAM", true: "JWT"}[on]
			if r.Properties["AuthorizationType"] != want || (r.Properties["AuthorizerId"] != nil) != on || (r.Properties["AuthorizationScopes"] != nil) != on {
				t.Errorf("%s is authorized by %v, want %s", id, r.Properties, want)
			}
		case "AWS::Lambda::Function":
			reserved := r.Properties["ReservedConcurrentExecutions"]
			if want := on && id == "SweeperFunction"; (reserved != nil) != want {
				t.Errorf("%s reserves %v", id, reserved)
			}
			env := r.Properties["Environment"].(map[string]any)["Variables"].(map[string]any)
			if (env["AWS_ENDPOINT_URL_DYNAMODB"] != nil) != on {
				t.Errorf("%s goes to %v for the table", id, env["AWS_ENDPOINT_URL_DYNAMODB"])
			}
			if env["TABLE_NAME"] == nil || env["GOMEMLIMIT"] == nil {
				t.Errorf("%s has not both its own variables and those of all: %v", id, env)
			}
		case "AWS::CloudWatch::Alarm":
			if (r.Properties["AlarmActions"] != nil) != on {
				t.Errorf("%s tells %v", id, r.Properties["AlarmActions"])
			}
		}
	}
	want := map[string]int{
		"AWS::Lambda::Function": 3, "AWS::IAM::Role": 4, // none but those written out
		"AWS::Scheduler::Schedule": 1, "AWS::Lambda::EventInvokeConfig": 1, "AWS::ApiGatewayV2::Authorizer": 0,
		"AWS::Events::Rule": 0, "AWS::Logs::LogGroup": 3, "AWS::CloudWatch::Alarm": 8,
	}
	if on {
		want["AWS::ApiGatewayV2::Authorizer"], want["AWS::Events::Rule"], want["AWS::Logs::LogGroup"] = 1, 1, 4
	}
	for kind, n := range want {
		if count[kind] != n {
			t.Errorf("%d of %s, want %d", count[kind], kind, n)
		}
	}
}

// resource is one resource that CloudFormation makes.
type resource struct {
	Type       string
	Condition  string
	Properties map[string]any
}

// resolve gives a transformed template the values of its parameters: what no
// condition lets be is left out, and Fn::If is what it chooses.
func resolve(t *testing.T, template []byte, values []string) map[string]resource {
	t.Helper()
	var all struct {
		Parameters map[string]struct{ Default any }
		Conditions map[string]any
		Resources  map[string]resource
	}
	if err := json.Unmarshal(template, &all); err != nil {
		t.Fatal(err)
	}
	s := stack{t: t, values: map[string]any{}, conditions: all.Conditions}
	for name, p := range all.Parameters {
		s.values[name] = p.Default
	}
	for _, v := range values {
		name, value, _ := strings.Cut(v, "=")
		s.values[name] = value
	}
	for id, r := range all.Resources {
		if r.Condition != "" && !s.holds(s.conditions[r.Condition]) {
			delete(all.Resources, id)
			continue
		}
		r.Properties, _ = s.choose(r.Properties).(map[string]any)
		all.Resources[id] = r
	}
	return all.Resources
}

type stack struct {
	t          *testing.T
	values     map[string]any
	conditions map[string]any
}

// holds judges a condition.
func (s stack) holds(condition any) bool {
	c, _ := condition.(map[string]any)
	if not, ok := c["Fn::Not"].([]any); ok {
		return !s.holds(not[0])
	}
	equals, ok := c["Fn::Equals"].([]any)
	if !ok {
		s.t.Fatalf("the condition %v", condition)
	}
	return s.text(equals[0]) == s.text(equals[1])
}

func (s stack) text(value any) string {
	if ref, ok := value.(map[string]any); ok {
		value = s.values[ref["Ref"].(string)]
	}
	if text, ok := value.(string); ok {
		return text
	}
	b, err := json.Marshal(value) // a number
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// choose replaces Fn::If, and leaves out what AWS::NoValue takes the place of.
func (s stack) choose(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if v["Ref"] == "AWS::NoValue" {
			return nil
		}
		if choice, ok := v["Fn::If"].([]any); ok {
			if s.holds(s.conditions[choice[0].(string)]) {
				return s.choose(choice[1])
			}
			return s.choose(choice[2])
		}
		chosen := map[string]any{}
		for key, of := range v {
			if c := s.choose(of); c != nil {
				chosen[key] = c
			}
		}
		return chosen
	case []any:
		var chosen []any
		for _, of := range v {
			chosen = append(chosen, s.choose(of))
		}
		return chosen
	}
	return value
}
