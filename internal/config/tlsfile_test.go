package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// A tls.properties as Java's brokers and NameServers of one machine share it.
const tlsFile = `tls.test.mode.enable=false
tls.server.mode=enforcing
tls.server.need.client.auth=REQUIRE
tls.server.keyPath=/opt/certFiles/server.key
tls.server.keyPassword=123456
tls.server.certPath=/opt/certFiles/server.pem
tls.server.authClient=false
tls.server.trustCertPath=/opt/certFiles/ca.pem
tls.client.keyPath=/opt/certFiles/client.key
tls.client.keyPassword=654321
listenPort=1
`

func TestTLSFile(t *testing.T) {
	path := file(t, tlsFile)
	c := mustLoad(t, []string{"--tls.config.file", path}, nil)
	want := TLS{
		Mode: TLSPermissive, // never from this file, as in Java
		// The rest is.
		ClientAuth: ClientAuthRequire, KeyPath: "/opt/certFiles/server.key", KeyPassword: "123456",
		CertPath: "/opt/certFiles/server.pem", TrustPath: "/opt/certFiles/ca.pem", ConfigFile: path,
	}
	if c.TLS != want {
		t.Errorf("got  %#v\nwant %#v", c.TLS, want)
	}
	wantNotices(t, c, "tls.client.keyPath has", "tls.client.keyPassword has", "listenPort in "+path, "tls.server.mode in "+path)
}

func TestTLSFileStandsBetweenFileAndEnvironment(t *testing.T) {
	conf := file(t, "tls.config.file="+file(t, tlsFile)+"\ntls.server.keyPath=/of/conf\ntls.server.trustCertPath=/of/conf\ntls.server.mode=Enforcing\n")
	c := mustLoad(t, []string{"-c", conf, "--tls.server.certPath", "/of/flag"}, []string{"SIGNPOST_TLS_SERVER_TRUST_CERT_PATH=/of/env"})
	got := []string{c.TLS.KeyPath, c.TLS.TrustPath, c.TLS.CertPath, c.TLS.Mode}
	want := []string{"/opt/certFiles/server.key", "/of/env", "/of/flag", TLSEnforcing}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTLSFileIsReadOnlyWhenThereIsTLS(t *testing.T) {
	broken := file(t, "tls.test.mode.enable=maybe\n")
	mustLoad(t, []string{"--tls.config.file", broken, "--tls.server.mode", "disabled"}, nil)
	_, err := Load(Namesrv, []string{"--tls.config.file", broken}, nil, "/home/op")
	wantFaults(t, err, `tls.test.mode.enable "maybe" (file `+broken+`)`)

	missing := filepath.Join(t.TempDir(), "tls.properties")
	_, err = Load(Namesrv, []string{"--tls.config.file", missing}, nil, "/home/op")
	wantFaults(t, err, `tls.config.file "`+missing+`" (flag --tls.config.file) cannot be read`)
	mustLoad(t, []string{"--tls.config.file", missing, "--tls.server.mode", "disabled"}, nil)
}

// A fault in the keys that decide over the TLS file is told once.
func TestFaultsOfTLSKeysAreToldOnce(t *testing.T) {
	_, err := Load(Namesrv, []string{"--tls.server.mode", "on", "--tls.server.need.client.auth", "yes"}, nil, "/home/op")
	wantFaults(t, err, `tls.server.mode "on"`, `tls.server.need.client.auth "yes"`)
}

func TestConflictsAreNoticed(t *testing.T) {
	for _, c := range []struct {
		args   string
		notice string
	}{
		{"", ""},
		{"--tls.server.certPath /c --tls.server.keyPath /k", "tls.test.mode.enable is true: "},
		{"--tls.server.certPath /c --tls.server.keyPath /k --tls.test.mode.enable false", ""},
		{"--tls.server.certPath /c --tls.test.mode.enable false", "tls.server.certPath or tls.server.keyPath is not set"},
		{"--tls.server.certPath /c --tls.server.mode disabled", ""},
		{"--pprof", "pprof is true, but httpAddr"},
		{"--pprof --httpAddr :8080", ""},
		{"--discoveryServers a:1", "discoveryServers is set, but discoveryAddr"},
		{"--discoveryServers a:1 --discoveryAddr :8080", ""},
		{"--aclFile /a.yml", "aclFile is set, but aclEnable is false"},
		{"--aclFile /a.yml --aclEnable", ""},
		{"--aclFile /a.yml --aclEnable --httpAddr :8080", "aclEnable is about listenPort"},
	} {
		var want []string
		if c.notice != "" {
			want = []string{c.notice}
		}
		wantNotices(t, mustLoad(t, strings.Fields(c.args), nil), want...)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	const secret = "hunter2 "
	path := file(t, "tls.server.keyPassword="+secret+"\ntls.client.keyPassword="+secret+"\nacl.accessKey="+secret+"\nsecretToken="+secret+"\n")
	c := mustLoad(t, []string{"-c", path}, nil)
	if c.TLS.KeyPassword != secret { // white space is part of it
		t.Errorf("the password is %q", string(c.TLS.KeyPassword))
	}
	inJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("started", "tls", c.TLS, "password", c.TLS.KeyPassword, "settings", c.Settings())
	shown := strings.Join([]string{c.List(), fmt.Sprintf("%v %+v %#v %s", c.TLS, c.TLS, c.TLS, c.TLS.KeyPassword),
		fmt.Sprintf("%+v", c), fmt.Sprint(c.Settings()), fmt.Sprint(c.Notices()), string(inJSON), log.String()}, "\n")
	if strings.Contains(shown, "hunter2") {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	listed := listing(t, c)
	for _, key := range []string{"tls.server.keyPassword", "tls.client.keyPassword", "acl.accessKey", "secretToken"} {
		if listed[key] != Mask {
			t.Errorf("%s=%s", key, listed[key])
		}
	}

	_, err = Load(Namesrv, []string{"--tls.server.keyPassword", "hunter2\x00"}, nil, "/home/op")
	wantFaults(t, err, `tls.server.keyPassword "******" (flag --tls.server.keyPassword) contains a zero byte`)
}
