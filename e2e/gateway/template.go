package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Stack is what of a CloudFormation template a Gateway stands for, as it is
// with the given parameters.
type Stack struct {
	// Stage is the name of the stage; Rate and Burst throttle it.
	Stage       string
	Rate, Burst float64
	// Routes have no Function yet; Targets are the logical ids of what belongs
	// there, by route key.
	Routes  []Route
	Targets map[string]string
	// Permitted are the ARNs of calls that each function lets API Gateway
	// make, by the function's logical id.
	Permitted map[string]Policy
	// Policies are the managed policies, by logical id.
	Policies map[string]Policy
	// Functions are the functions, by logical id.
	Functions map[string]FunctionConfig
}

// FunctionConfig is how a function runs.
type FunctionConfig struct {
	Memory  int // MB
	Timeout time.Duration
	Env     map[string]string
}

// ReadStack reads a template. values are its parameters that have another
// value than the default, and what !Ref of a resource gives (AWS::Region and
// the like are known).
func ReadStack(path string, values map[string]string) (*Stack, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(b, &document); err != nil {
		return nil, fmt.Errorf("read template %s: %w", path, err)
	}
	if len(document.Content) != 1 {
		return nil, fmt.Errorf("read template %s: it is empty", path)
	}
	t := &template{root: document.Content[0], values: map[string]string{
		"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012", "AWS::StackName": "signpost",
	}}
	for i := 0; i+1 < len(child(t.root, "Parameters").Content); i += 2 {
		p := child(t.root, "Parameters").Content
		t.values[p[i].Value] = child(p[i+1], "Default").Value
	}
	maps.Copy(t.values, values)
	s := &Stack{
		Targets: map[string]string{}, Permitted: map[string]Policy{}, Policies: map[string]Policy{}, Functions: map[string]FunctionConfig{},
	}
	if err := t.fill(s); err != nil {
		return nil, fmt.Errorf("read template %s: %w", path, err)
	}
	return s, nil
}

// Gateway is a gateway of the stack with those functions, by logical id.
// o.Routes, Stage, Rate and Burst are the template's.
func (s *Stack) Gateway(functions map[string]Function, o Options) (*Gateway, error) {
	o.Stage, o.Rate, o.Burst, o.Routes = s.Stage, s.Rate, s.Burst, slices.Clone(s.Routes)
	for i, r := range o.Routes {
		id := s.Targets[r.Key]
		f, ok := functions[id]
		if !ok {
			return nil, fmt.Errorf("route %s leads to %q, which is not given", r.Key, id)
		}
		o.Routes[i].Function, o.Routes[i].permission = f, s.Permitted[id]
	}
	return New(o)
}

// template is a template with its parameters' values.
type template struct {
	root   *yaml.Node
	values map[string]string
}

// none is the value of AWS::NoValue.
type none struct{}

func (t *template) fill(s *Stack) error {
	resources := child(t.root, "Resources").Content
	integrations := map[string]string{} // logical id of an integration -> of its function
	for i := 0; i+1 < len(resources); i += 2 {
		id, r := resources[i].Value, resources[i+1]
		if c := child(r, "Condition"); c.Value != "" && !t.condition(c.Value) {
			continue
		}
		value, err := t.value(child(r, "Properties"))
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		p, _ := value.(map[string]any)
		switch child(r, "Type").Value {
		case "AWS::ApiGatewayV2::Stage":
			settings, _ := p["DefaultRouteSettings"].(map[string]any)
			s.Stage, s.Rate, s.Burst = text(p["StageName"]), number(settings["ThrottlingRateLimit"]), number(settings["ThrottlingBurstLimit"])
		case "AWS::ApiGatewayV2::Integration":
			if text(p["PayloadFormatVersion"]) != "2.0" {
				return fmt.Errorf("%s: payload format %v", id, p["PayloadFormatVersion"])
			}
			_, uri, _ := strings.Cut(text(p["IntegrationUri"]), "/functions/")
			integrations[id] = strings.TrimSuffix(uri, ".Arn/invocations")
		case "AWS::ApiGatewayV2::Route":
			s.Routes = append(s.Routes, Route{Key: text(p["RouteKey"]), Auth: Auth(text(p["AuthorizationType"])), Scopes: texts(p["AuthorizationScopes"])})
			s.Targets[text(p["RouteKey"])] = strings.TrimPrefix(text(p["Target"]), "integrations/")
		case "AWS::Lambda::Permission":
			s.Permitted[text(p["FunctionName"])] = append(s.Permitted[text(p["FunctionName"])],
				Statement{Actions: []string{invokeAction}, Resources: texts(p["SourceArn"])})
		case "AWS::IAM::ManagedPolicy":
			if s.Policies[id], err = policy(p["PolicyDocument"]); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		case "AWS::Serverless::Function":
			if s.Functions[id], err = t.function(p); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
	}
	for key, integration := range s.Targets {
		s.Targets[key] = integrations[integration]
	}
	return nil
}

// function merges what Globals and the function itself say.
func (t *template) function(p map[string]any) (FunctionConfig, error) {
	c := FunctionConfig{Memory: int(number(p["MemorySize"])), Timeout: time.Duration(number(p["Timeout"]) * float64(time.Second)), Env: map[string]string{}}
	global, err := t.value(child(child(child(t.root, "Globals"), "Function"), "Environment"))
	if err != nil {
		return c, err
	}
	for _, e := range []any{global, p["Environment"]} {
		e, _ := e.(map[string]any)
		variables, _ := e["Variables"].(map[string]any)
		for name, v := range variables {
			c.Env[name] = text(v)
		}
	}
	return c, nil
}

// policy reads a policy document that only allows.
func policy(document any) (Policy, error) {
	d, _ := document.(map[string]any)
	list, _ := d["Statement"].([]any)
	var p Policy
	for _, s := range list {
		s, _ := s.(map[string]any)
		if text(s["Effect"]) != "Allow" || s["Condition"] != nil || s["NotAction"] != nil || s["NotResource"] != nil {
			return nil, fmt.Errorf("statement %v is not understood here", s)
		}
		p = append(p, Statement{Actions: texts(s["Action"]), Resources: texts(s["Resource"])})
	}
	if p == nil {
		return nil, errors.New("no statements")
	}
	return p, nil
}

// child is the member of a mapping; an empty node if there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i+1]
			}
		}
	}
	return &yaml.Node{}
}

// value evaluates a node: scalars are strings, and functions are done.
func (t *template) value(n *yaml.Node) (any, error) {
	switch {
	case n.Tag == "!Ref":
		return t.ref(n.Value), nil
	case n.Tag == "!GetAtt":
		return n.Value, nil
	case n.Tag == "!Sub" && n.Kind == yaml.ScalarNode:
		return t.substitute(n.Value), nil
	case n.Tag == "!If" && len(n.Content) == 3:
		if t.condition(n.Content[0].Value) {
			return t.value(n.Content[1])
		}
		return t.value(n.Content[2])
	case strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!"):
		return nil, fmt.Errorf("line %d: %s is not understood here", n.Line, n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := t.value(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			if v != (none{}) {
				m[n.Content[i].Value] = v
			}
		}
		return m, nil
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := t.value(c)
			if err != nil {
				return nil, err
			}
			if v != (none{}) {
				list = append(list, v)
			}
		}
		return list, nil
	}
	return n.Value, nil
}

// ref is what !Ref gives: a value that is known, or the logical id.
func (t *template) ref(name string) any {
	if name == "AWS::NoValue" {
		return none{}
	}
	if v, ok := t.values[name]; ok {
		return v
	}
	return name
}

var variable = regexp.MustCompile(`\$\{([\w:.]+)\}`)

func (t *template) substitute(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string { return text(t.ref(v[2 : len(v)-1])) })
}

// condition evaluates a condition of !Equals and !Not; others are false.
func (t *template) condition(name string) bool {
	return t.holds(child(child(t.root, "Conditions"), name))
}

func (t *template) holds(n *yaml.Node) bool {
	switch {
	case n.Tag == "!Not" && len(n.Content) == 1:
		return !t.holds(n.Content[0])
	case n.Tag == "!Equals" && len(n.Content) == 2:
		a, _ := t.value(n.Content[0])
		b, _ := t.value(n.Content[1])
		return text(a) == text(b)
	case n.Tag == "!Condition":
		return t.condition(n.Value)
	}
	return false
}

// text is a scalar, or JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil, none:
		return ""
	case string:
		return v
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// texts is a list of scalars, or one scalar as a list.
func texts(v any) []string {
	switch v := v.(type) {
	case nil, none:
		return nil
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			list[i] = text(e)
		}
		return list
	}
	return []string{text(v)}
}

func number(v any) float64 {
	f, _ := strconv.ParseFloat(text(v), 64) // what is no number is 0
	return f
}
