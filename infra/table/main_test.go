package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"signpost/internal/dynamo"
)

// TestTheTemplatesTableIsTheStores holds template.yaml to what dynamo.Store
// works on.
func TestTheTemplatesTableIsTheStores(t *testing.T) {
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	if is, want := d.input("x"), dynamo.Definition("x"); !reflect.DeepEqual(is, want) {
		t.Errorf("the template has %+v, the store needs %+v", is, want)
	}
	if is, want := d.expiry("x"), dynamo.Expiry("x"); !reflect.DeepEqual(is, want) {
		t.Errorf("the template expires %+v, the store needs %+v", is.TimeToLiveSpecification, want.TimeToLiveSpecification)
	}
}

func TestAnUnknownPropertyIsNotLeftOut(t *testing.T) {
	for template, want := range map[string]string{
		"Resources: {Table: {Properties: {GlobalSecondaryIndexes: []}}}": "Table.GlobalSecondaryIndexes",
		"Resources: {Table: {Properties: {KeySchema: x}}}":               "Table.KeySchema",
		"Resources: {}": "no resource Table",
		"\t":            "read",
	} {
		if _, err := read([]byte(template)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", template, err, want)
		}
	}
}

func TestWhatIsMissingIsToldAtOnce(t *testing.T) {
	err := run(t.Context(), func(string) string { return "" }, os.Stdout)
	if err == nil || !strings.Contains(err.Error(), "TABLE_NAME") || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL_DYNAMODB") {
		t.Errorf("an empty environment: %v", err)
	}
}
