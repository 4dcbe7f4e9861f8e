package infra_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// resource is one resource of the template. In its properties the short forms
// are as the long ones: !Ref X is {"Ref": "X"}, !GetAtt X.Arn is
// {"Fn::GetAtt": "X.Arn"}, !Sub x is {"Fn::Sub": "x"}, and so on.
type resource struct {
	id         string
	kind       string
	properties map[string]any
	attributes map[string]any // DeletionPolicy, Condition and the like
}

// template is what tests ask of template.yaml.
type template struct {
	globals   map[string]any
	resources []resource // sorted by id
	params    map[string]any
}

func readTemplate(t *testing.T) template {
	t.Helper()
	b, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	all := plain(t, root.Content[0]).(map[string]any)
	read := template{globals: all["Globals"].(map[string]any)["Function"].(map[string]any), params: all["Parameters"].(map[string]any)}
	for id, r := range all["Resources"].(map[string]any) {
		attributes := r.(map[string]any)
		properties, _ := attributes["Properties"].(map[string]any)
		read.resources = append(read.resources, resource{id: id, kind: attributes["Type"].(string), properties: properties, attributes: attributes})
	}
	slices.SortFunc(read.resources, func(a, b resource) int { return strings.Compare(a.id, b.id) })
	return read
}

// of returns the resources of a type.
func (t template) of(kind string) []resource {
	var found []resource
	for _, r := range t.resources {
		if r.kind == kind {
			found = append(found, r)
		}
	}
	return found
}

// named returns one resource.
func (t template) named(id string) resource {
	for _, r := range t.resources {
		if r.id == id {
			return r
		}
	}
	return resource{id: id, properties: map[string]any{}}
}

// at returns what stands under the keys, nil if there is nothing.
func at(value any, keys ...string) any {
	for _, key := range keys {
		m, _ := value.(map[string]any)
		value = m[key]
	}
	return value
}

// plain turns a node into maps, lists and scalars.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	tag := n.Tag
	short := strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!")
	var value any
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		value = m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(t, c))
		}
		value = list
	case yaml.ScalarNode:
		if short {
			value = n.Value
		} else if err := n.Decode(&value); err != nil {
			t.Fatalf("line %d: %v", n.Line, err)
		}
	default:
		t.Fatalf("line %d: CloudFormation has no aliases", n.Line)
	}
	switch {
	case !short:
		return value
	case tag == "!Ref":
		return map[string]any{"Ref": value}
	default:
		return map[string]any{"Fn::" + tag[1:]: value}
	}
}

// list makes a list of what may stand alone.
func list(value any) []string {
	items, ok := value.([]any)
	if !ok {
		items = []any{value}
	}
	var texts []string
	for _, i := range items {
		if sub := at(i, "Fn::Sub"); sub != nil {
			i = sub
		}
		texts = append(texts, fmt.Sprint(i))
	}
	return texts
}
