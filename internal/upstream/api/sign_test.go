package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"signpost/core"
	"signpost/e2e/gateway"
	"signpost/internal/upstream/api"
)

const (
	keyID   = "AKIDEXAMPLE"
	secret  = "a secret that is in no log"
	session = "the token of temporary credentials"
	region  = "eu-central-1"
)

// gate is the gateway of the API with functions that answer well, or as throttle says.
type gate struct {
	*gateway.Gateway
	calls    atomic.Int64 // that came through
	throttle atomic.Int64 // calls that are answered 429 before the next one is answered well
}

// headAnswer answers the beat of a session as a function does, in format 2.0.
const headAnswer = `{"statusCode":200,"headers":{"content-type":"application/json","signpost-revision":"7","signpost-valid-for":"0","signpost-guarded":"false"},` +
	`"body":"{\"revision\":7,\"complete\":true,\"changes\":[],\"sessions\":[],\"answers\":[],\"routes\":[]}"}`

func newGate(t *testing.T, now func() time.Time, allowed string) *gate {
	g := &gate{}
	f := gateway.FunctionFunc(func(context.Context, []byte) ([]byte, error) {
		g.calls.Add(1)
		if g.throttle.Add(-1) >= 0 {
			return nil, gateway.ErrThrottled
		}
		return []byte(headAnswer), nil
	})
	var err error
	g.Gateway, err = gateway.New(gateway.Options{
		Routes: []gateway.Route{{Key: "$default", Auth: gateway.IAM, Function: f}},
		Stage:  "prod", Region: region, Now: now,
		Users: map[string]gateway.User{keyID: {
			ARN: "arn:aws:iam::123456789012:user/gw", Secret: secret, Session: session,
			Policies: []gateway.Policy{{{Actions: []string{"execute-api:Invoke"}, Resources: []string{allowed}}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// signing are the options of a client of the gateway, which it calls without a
// connection.
func (g *gate) signing() api.Options {
	return api.Options{
		Endpoint: "https://a1b2c3d4e5.execute-api." + region + ".amazonaws.com/prod/", Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, session),
		Transport: inProcess(g.ServeHTTP),
	}
}

func TestSignaturesHold(t *testing.T) { synctest.Test(t, signaturesHold) }

func signaturesHold(t *testing.T) {
	g := newGate(t, nil, "*")
	c := newClient(t, g.signing())
	ctx := t.Context()
	// What comes back is no answer to most of these; here it counts that the
	// gateway lets them through.
	const odd = `%RETRY%a b+c&d=e/f?g"h\ä'(*)~`
	for name, call := range map[string]func() error{
		"no body":        func() error { _, err := c.BeatSession(ctx, "s-1", 7); return err },
		"an odd name":    func() error { _, _, err := c.KV(ctx, odd); return err },
		"a body":         func() error { _, err := c.PutKV(ctx, odd, odd, odd); return err },
		"no query":       func() error { _, _, err := c.Clusters(ctx); return err },
		"an empty query": func() error { _, _, err := c.Topics(ctx, core.AllTopics, ""); return err },
		"two of them":    func() error { _, err := c.DeleteTopic(ctx, odd, odd); return err },
		"compressed": func() error {
			_, err := c.Routes(ctx, api.RoutesQuery{Topics: []api.KnownRoute{{Topic: strings.Repeat("x", 500)}}})
			return err
		},
		"a registration": func() error {
			_, err := c.Register(ctx, "s-1", api.Registration{Body: bodyOf(t, content("t1"))})
			return err
		},
		"none to confirm": func() error { _, _, err := c.Beats(ctx, "s-1", nil); return err },
	} {
		before := g.calls.Load()
		err := call()
		var no *api.UnreachableError
		if errors.As(err, &no) && no.Status != http.StatusOK || g.calls.Load() == before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEachAttemptIsSignedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, time.Now, "*")
		g.throttle.Store(2)
		o := g.signing()
		var dates []string
		inner := o.Transport
		o.Transport = tripper(func(r *http.Request) (*http.Response, error) {
			dates = append(dates, r.Header.Get("X-Amz-Date"))
			time.Sleep(time.Second)
			return inner.RoundTrip(r)
		})
		if _, err := newClient(t, o).BeatSession(t.Context(), "s-1", 0); err != nil {
			t.Fatal(err)
		}
		if len(dates) != 3 || dates[0] == dates[1] || dates[1] == dates[2] {
			t.Errorf("signed at %v", dates)
		}
	})
}

func TestRefusedClock(t *testing.T) {
	for _, wrong := range []time.Duration{10 * time.Minute, -10 * time.Minute, -40 * 24 * time.Hour} {
		t.Run(wrong.String(), func(t *testing.T) {
			var ours hands
			var skew atomic.Int64
			skew.Store(int64(wrong))
			g := newGate(t, func() time.Time { return ours.now().Add(-time.Duration(skew.Load())) }, "*")
			var log bytes.Buffer
			observed := &seen{}
			o := g.signing()
			o.Now, o.Observer, o.Log = ours.now, observed, slog.New(slog.NewTextHandler(&log, nil))
			c := newClient(t, o)
			for range 3 {
				if _, err := c.BeatSession(t.Context(), "s-1", 0); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "the attempts", observed.results, []string{"beatSession denied", "beatSession ok", "beatSession ok", "beatSession ok"})
			if len(observed.offsets) != 1 || (observed.offsets[0]+wrong).Abs() > time.Second {
				t.Errorf("the offsets are %v", observed.offsets)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 {
				t.Errorf("%d lines are logged:\n%s", n, log.String())
			}
			skew.Store(0) // the clock is set right
			if _, err := c.BeatSession(t.Context(), "s-1", 0); err != nil {
				t.Fatal(err)
			}
			if n := len(observed.offsets); n != 2 || observed.offsets[1].Abs() > time.Second {
				t.Errorf("the offsets are %v", observed.offsets)
			}
			for _, private := range []string{secret, session, keyID} {
				if strings.Contains(log.String(), private) {
					t.Errorf("the log has %q in it:\n%s", private, log.String())
				}
			}
		})
	}
}

// TestRefusedClockInWords has the words of REST APIs and of AWS's own services.
func TestRefusedClockInWords(t *testing.T) {
	for _, body := range []string{
		`{"message":"Signature expired: 20300102T025405Z is now earlier than 20300102T025905Z (20300102T030405Z - 5 min.)"}`,
		`{"message":"Signature not yet current: 20300102T031405Z is still later than 20300102T030905Z (20300102T030405Z + 5 min.)"}`,
		`{"message":"Forbidden"}`,
		`{"__type":"RequestExpired"}`,
		`<html>`,
	} {
		synctest.Test(t, func(t *testing.T) {
			var at []string
			o := newGate(t, nil, "*").signing()
			o.Now = func() time.Time { return epoch }
			o.Transport = script(
				func(w http.ResponseWriter, r *http.Request) {
					at = append(at, r.Header.Get("X-Amz-Date"))
					says(403, typeJSON, body, "Date", epoch.Add(10*time.Minute).Format(http.TimeFormat))(w, r)
				},
				func(w http.ResponseWriter, r *http.Request) {
					at = append(at, r.Header.Get("X-Amz-Date"))
					good(w, r)
				})
			if _, err := newClient(t, o).BeatSession(t.Context(), "s-1", 0); err != nil {
				t.Fatal(err)
			}
			same(t, body, at, []string{"20300102T030405Z", "20300102T031405Z"})
		})
	}
}

func TestRefusalThatIsNotTheClocks(t *testing.T) {
	g := newGate(t, nil, "arn:aws:execute-api:*/GET/*")
	observed := &seen{}
	o := g.signing()
	o.Observer = observed
	_, err := newClient(t, o).BeatSession(t.Context(), "s-1", 0)
	if no := unreachable(t, err); no.Status != http.StatusForbidden || g.calls.Load() != 0 {
		t.Errorf("%+v after %d calls", no, g.calls.Load())
	}
	same(t, "the attempts", observed.results, []string{"beatSession denied"})

	// A clock that lies about itself is asked once.
	observed = &seen{}
	o.Observer, o.Now = observed, func() time.Time { return epoch }
	o.Transport = script(says(403, typeJSON, `{"message":"Signature expired: ..."}`, "Date", epoch.Add(time.Hour).Format(http.TimeFormat)))
	_, err = newClient(t, o).BeatSession(t.Context(), "s-1", 0)
	unreachable(t, err)
	same(t, "the attempts", observed.results, []string{"beatSession denied", "beatSession denied"})

	// Without a signature no clock matters.
	observed = &seen{}
	o.Observer, o.Credentials = observed, nil
	_, err = newClient(t, o).BeatSession(t.Context(), "s-1", 0)
	unreachable(t, err)
	same(t, "the attempts", observed.results, []string{"beatSession denied"})
}

func TestCredentialsThatCannotBeFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, time.Now, "*")
		o := g.signing()
		found := false
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			if !found {
				return aws.Credentials{}, errors.New("the helper crashed at " + secret)
			}
			return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: session}, nil
		})
		c := newClient(t, o)
		_, err := c.BeatSession(t.Context(), "s-1", 0)
		if no := unreachable(t, err); strings.Contains(no.Reason, secret) || g.calls.Load() != 0 {
			t.Errorf("%+v", no)
		}
		found = true
		if _, err := c.BeatSession(t.Context(), "s-1", 0); err != nil {
			t.Error(err)
		}
	})
}

func TestTokenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get("Authorization"))
		good(w, r)
	}))
	defer server.Close()
	c := newClient(t, api.Options{Endpoint: server.URL, TokenFile: file})
	write("first.token\n")
	for _, token := range []string{"first.token", "second.token"} {
		write(token + "\n")
		if _, err := c.BeatSession(t.Context(), "s-1", 0); err != nil || got.Load() != "Bearer "+token {
			t.Errorf("%v carried %v", err, got.Load())
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, text := range map[string]string{"empty": " \n", "two words": secret, "long": strings.Repeat("x", 10_000), "no text": "a\x00b"} {
		write(text)
		c := newClient(t, api.Options{Endpoint: server.URL, TokenFile: file, Observer: first{t, "denied", cancel}})
		_, err := c.BeatSession(ctx, "s-1", 0)
		unreachable(t, err)
		if strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error has the token in it: %v", name, err)
		}
	}
	os.Remove(file)
	_, err := newClient(t, api.Options{Endpoint: server.URL, TokenFile: file, Observer: first{t, "denied", cancel}}).BeatSession(ctx, "s-1", 0)
	unreachable(t, err)
}

// TestCredentialsChain finds credentials where AWS tools look for them.
func TestCredentialsChain(t *testing.T) {
	dir := t.TempDir()
	config, process, count := filepath.Join(dir, "config"), filepath.Join(dir, "process"), filepath.Join(dir, "count")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none"), "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
	} {
		t.Setenv(name, value)
	}
	script := fmt.Sprintf("#!/bin/sh\necho x >>%s\nn=$(wc -l <%s)\n"+
		`echo "{\"Version\":1,\"AccessKeyId\":\"AKID$((n))\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"$1\"}"`+"\n", count, count)
	write := func(file, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(process, script, 0o700)
	profile := func(expires time.Time) string {
		return fmt.Sprintf("[default]\nregion = eu-west-3\ncredential_process = %s %s\n[profile other]\nregion = eu-west-2\naws_access_key_id = AKIDOTHER\naws_secret_access_key = s\n",
			process, expires.UTC().Format(time.RFC3339))
	}
	find := func(region string) (aws.CredentialsProvider, string) {
		t.Helper()
		p, in, err := api.Credentials(t.Context(), region)
		if err != nil {
			t.Fatal(err)
		}
		return p, in
	}
	key := func(p aws.CredentialsProvider) string {
		t.Helper()
		c, err := p.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c.AccessKeyID
	}

	write(config, profile(time.Now().Add(time.Hour)), 0o600)
	p, in := find("")
	if in != "eu-west-3" {
		t.Errorf("the region is %q", in)
	}
	for range 2 { // asked once an hour
		if got := key(p); got != "AKID1" {
			t.Errorf("the process's key is %q", got)
		}
	}
	write(config, profile(time.Now().Add(30*time.Second)), 0o600) // soon over
	p, _ = find("")
	if first, second := key(p), key(p); first != "AKID2" || second != "AKID3" {
		t.Errorf("keys that are soon over: %q, %q", first, second)
	}
	write(process, "#!/bin/sh\necho a warning before; echo '{\"SecretAccessKey\":\""+secret+"\"}'\n", 0o700)
	p, _ = find("")
	if _, err := p.Retrieve(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("what a process prints that is not JSON: %v", err)
	}
	t.Setenv("AWS_PROFILE", "other")
	if p, in = find(""); in != "eu-west-2" || key(p) != "AKIDOTHER" {
		t.Errorf("the profile's are %q in %q", key(p), in)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", keyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	if p, in = find("us-east-1"); in != "us-east-1" || key(p) != keyID {
		t.Errorf("the environment's are %q in %q", key(p), in)
	}
}

// BenchmarkBeatSession is what a signed call takes here, without a connection.
func BenchmarkBeatSession(b *testing.B) {
	c := newClient(b, api.Options{
		Endpoint: "https://api.example.com", Region: region, Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, session),
		Transport: inProcess(good),
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.BeatSession(b.Context(), "s-1", 17); err != nil {
			b.Fatal(err)
		}
	}
}
