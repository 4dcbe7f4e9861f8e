package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"signpost/internal/daemon/daemontest"
)

// TestHowCallsAreSigned: what the flags and the environment come to in a call.
func TestHowCallsAreSigned(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "the-secret"}
	inRegion := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "the-secret", "AWS_REGION": "eu-west-3"}
	for name, c := range map[string]struct {
		args    []string
		environ map[string]string
		want    string // in the Authorization header
	}{
		"signed":                    {[]string{"--region", "eu-central-1"}, keys, "/eu-central-1/execute-api/aws4_request"},
		"in the SDK's region":       {nil, inRegion, "/eu-west-3/execute-api/aws4_request"},
		"region before the SDK's":   {[]string{"--region", "eu-central-1", "--signing", "iam"}, inRegion, "/eu-central-1/execute-api/aws4_request"},
		"token":                     {[]string{"--tokenFile", token}, nil, "Bearer the-token"},
		"token beside credentials":  {[]string{"--tokenFile", token}, inRegion, "Bearer the-token"},
		"nothing, with credentials": {[]string{"--signing", "none"}, inRegion, ""},
	} {
		t.Run(name, func(t *testing.T) {
			noAWS(t)
			for k, v := range c.environ {
				t.Setenv(k, v)
			}
			var header atomic.Pointer[string]
			api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				said := r.Header.Get("Authorization")
				header.Store(&said)
				panic(http.ErrAbortHandler)
			}))
			defer api.Close()
			p := daemontest.Launch(t, run, append([]string{"--endpoint", api.URL, "--stateFile", filepath.Join(t.TempDir(), "shim.db")}, c.args...)...)
			eventually(t, p, "a call", func() bool { return header.Load() != nil })
			if got := *header.Load(); !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("Authorization: %s", got)
			}
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
			if said := p.Stderr.String(); strings.Contains(said, "the-secret") || strings.Contains(said, "the-token") {
				t.Errorf("a secret is in the log:\n%s", said)
			}
		})
	}
}
