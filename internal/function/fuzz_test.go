package function_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// FuzzEvents hands anything to the functions by way of Lambda's runtime. What
// is an event at all is answered, and no fault of the function's.
func FuzzEvents(f *testing.F) {
	files, err := filepath.Glob("../../functions/*/events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, e := range hostile() {
		b, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		i := newInstance(t, nil)
		for class, h := range map[string]handler{"register": i.Register(), "route": i.Route()} {
			b, err := lambda.NewHandler(h.Handle).Invoke(t.Context(), payload)
			if err != nil {
				if json.Unmarshal(payload, new(events.APIGatewayV2HTTPRequest)) == nil {
					t.Errorf("%s: %v", class, err)
				}
				continue
			}
			var out events.APIGatewayV2HTTPResponse
			if err := json.Unmarshal(b, &out); err != nil || out.StatusCode < 200 || out.StatusCode > 499 {
				t.Errorf("%s: %s, %v", class, b, err)
			}
			if out.StatusCode >= 400 && !strings.Contains(out.Body, `"type":"urn:signpost:problem:`) {
				t.Errorf("%s: %s is no problem", class, b)
			}
		}
	})
}
