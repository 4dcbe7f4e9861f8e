package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"signpost/internal/config"
)

// awsEnvironment points the SDK at an endpoint, and away from this machine's own configuration.
func awsEnvironment(t *testing.T, region, endpoint string) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_REGION": region, "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
}

func TestATableThatCannotBeUsedIsToldAtStart(t *testing.T) {
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}`)
	}))
	defer empty.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct{ region, endpoint, says string }{
		"no region":     {"", empty.URL, "store: no AWS region"},
		"no table":      {"eu-central-1", empty.URL, "store: there is no table routes in eu-central-1"},
		"not reachable": {"eu-central-1", gone.URL, "store: read the revision of table routes"},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t, c.region, c.endpoint)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			var stdout, stderr output
			err := run(ctx, []string{"--listenPort", "0", "--bindAddress", "127.0.0.1", "--store", "dynamodb:routes"}, nil, &stdout, &stderr)
			if config.ExitCode(err) != 255 || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("%v\n%s", err, stderr.String())
			}
		})
	}
}
