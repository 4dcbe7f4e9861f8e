package tlsport

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// renewal is a server whose certificate is about to be renewed.
type renewal struct {
	runningPort
	files
	ca, old *identity
}

func newRenewal(t *testing.T, change func(*Options)) renewal {
	t.Helper()
	r := renewal{files: newFiles(t), ca: newCA(t, "ca")}
	r.old = issue(t, "server", newKey(t), r.ca)
	r.put(t, r.old)
	write(t, r.trust, r.ca.certPEM())
	opts := Options{CertPath: r.cert, KeyPath: r.key, TrustCertPath: r.trust}
	if change != nil {
		change(&opts)
	}
	r.runningPort = newPort(opts)
	r.wantStats(t, 0, 0)
	return r
}

func TestARenewedCertificateForTheSameKeyIsTakenUp(t *testing.T) {
	r := newRenewal(t, nil)
	wantServed(t, r.Port, r.old)
	renewed := issueUntil(t, "server", r.old.key, r.ca, time.Now().Add(48*time.Hour))
	write(t, r.cert, renewed.certPEM())
	if !r.poll() || r.poll() {
		t.Error("a change is to be taken up once")
	}
	wantServed(t, r.Port, renewed)
	if s := r.Stats(); !s.Loaded || !s.NotAfter.Equal(renewed.cert.NotAfter) {
		t.Errorf("%+v, want a validity until %v", s, renewed.cert.NotAfter)
	}
}

func TestCertificateAndKeyAreTakenUpInEitherOrder(t *testing.T) {
	for _, keyFirst := range []bool{true, false} {
		r := newRenewal(t, nil)
		renewed := issue(t, "server", newKey(t), r.ca)
		steps := []func(){
			func() { write(t, r.cert, renewed.certPEM()) },
			func() { write(t, r.key, renewed.keyPEM(t)) },
		}
		if keyFirst {
			steps[0], steps[1] = steps[1], steps[0]
		}
		steps[0]()
		lines := r.log.lines()
		for range 3 {
			if r.poll() {
				t.Error("one half of a pair is taken up")
			}
		}
		wantServed(t, r.Port, r.old)
		r.wantStats(t, 0, 1)
		if n := r.log.lines() - lines; n != 1 || !strings.Contains(r.log.String(), "is not that of the first certificate") {
			t.Errorf("one half of a pair is logged %d times:\n%s", n, r.log)
		}
		steps[1]()
		if !r.poll() {
			t.Error("the whole pair is not taken up")
		}
		wantServed(t, r.Port, renewed)
	}
}

func TestFilesThatCannotBeUsedLeaveTheOldInPlace(t *testing.T) {
	cases := map[string]func(t *testing.T, r renewal){
		"deleted certificate": func(t *testing.T, r renewal) { remove(t, r.cert) },
		"deleted key":         func(t *testing.T, r renewal) { remove(t, r.key) },
		"both deleted":        func(t *testing.T, r renewal) { remove(t, r.cert); remove(t, r.key) },
		"garbage":             func(t *testing.T, r renewal) { write(t, r.cert, []byte("garbage")) },
		"empty":               func(t *testing.T, r renewal) { write(t, r.key, nil) },
		"cut-off certificate": func(t *testing.T, r renewal) { write(t, r.cert, r.old.certPEM()[:100]) },
		"cut-off chain": func(t *testing.T, r renewal) {
			write(t, r.cert, append(r.old.certPEM(), r.ca.certPEM()[:100]...))
		},
		"cut-off key": func(t *testing.T, r renewal) { write(t, r.key, r.old.keyPEM(t)[:100]) },
		"damaged certificate": func(t *testing.T, r renewal) {
			write(t, r.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.old.cert.Raw[1:]}))
		},
		"damaged key": func(t *testing.T, r renewal) {
			write(t, r.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{0x30}}))
		},
		"files in the wrong places": func(t *testing.T, r renewal) {
			write(t, r.cert, r.old.keyPEM(t))
			write(t, r.key, r.old.certPEM())
		},
		"chain that begins with the root": func(t *testing.T, r renewal) {
			write(t, r.cert, append(r.ca.certPEM(), r.old.certPEM()...))
		},
		"directory": func(t *testing.T, r renewal) {
			remove(t, r.cert)
			if err := os.Mkdir(r.cert, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"too large": func(t *testing.T, r renewal) {
			if err := os.Truncate(r.cert, maxFile+1); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRenewal(t, nil)
			lines := r.log.lines()
			change(t, r)
			for range 3 {
				if r.poll() {
					t.Error("it is taken up")
				}
			}
			r.wantStats(t, 0, 1)
			if n := r.log.lines() - lines; n != 1 {
				t.Errorf("it is logged %d times:\n%s", n, r.log)
			}
			wantServed(t, r.Port, r.old)
			if err := os.RemoveAll(r.cert); err != nil {
				t.Fatal(err)
			}
			renewed := issue(t, "server", newKey(t), r.ca)
			r.put(t, renewed)
			if !r.poll() {
				t.Errorf("what came after it is not taken up:\n%s", r.log)
			}
			wantServed(t, r.Port, renewed)
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestEachStateIsLoggedOnce(t *testing.T) {
	r := newRenewal(t, nil)
	lines := r.log.lines()
	for i, garbage := range []string{"one", "one", "two", "two", "one"} {
		write(t, r.cert, []byte(garbage))
		r.poll()
		if got, want := r.log.lines()-lines, []int{1, 1, 2, 2, 3}[i]; got != want {
			t.Errorf("after change %d there are %d lines, want %d", i, got, want)
		}
	}
	r.wantStats(t, 0, 3)
}

func TestFilesSwappedByLinkAreTakenUp(t *testing.T) {
	// As Kubernetes mounts a secret: the files are links into ..data, which is a
	// link to a folder that is replaced as a whole.
	dir := t.TempDir()
	ca := newCA(t, "ca")
	swap := func(generation string, id *identity) {
		folder := filepath.Join(dir, generation)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		files{cert: filepath.Join(folder, "tls.crt"), key: filepath.Join(folder, "tls.key")}.put(t, id)
		link := filepath.Join(dir, "..data")
		if err := os.Symlink(generation, link+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+"_tmp", link); err != nil {
			t.Fatal(err)
		}
	}
	f := files{cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	for _, path := range []string{f.cert, f.key} {
		if err := os.Symlink(filepath.Join("..data", filepath.Base(path)), path); err != nil {
			t.Fatal(err)
		}
	}
	first, second := issue(t, "server", newKey(t), ca), issue(t, "server", newKey(t), ca)
	swap("..1", first)
	p := newPort(Options{CertPath: f.cert, KeyPath: f.key})
	wantServed(t, p.Port, first)
	swap("..2", second)
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	if !p.poll() {
		t.Errorf("nothing new is taken up:\n%s", p.log)
	}
	wantServed(t, p.Port, second)
}

func TestFilesThatComeLaterAreTakenUp(t *testing.T) {
	f, ca := newFiles(t), newCA(t, "ca")
	p := newPort(Options{CertPath: f.cert, KeyPath: f.key, TrustCertPath: f.trust, AuthClient: true, ClientAuth: RequireClientAuth})
	p.wantStats(t, 0, 2)
	server := issue(t, "server", newKey(t), ca)
	f.put(t, server)
	if p.poll() || p.Stats().Loaded {
		t.Error("TLS begins without the roots that clients are to be checked with")
	}
	if _, err := p.Config(); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("Config: %v", err)
	}
	write(t, f.trust, ca.certPEM())
	if !p.poll() || !p.Stats().Loaded {
		t.Errorf("the files are not taken up:\n%s", p.log)
	}
	if o := connect(t, p.Port, as(trusting(ca), issue(t, "client", newKey(t), ca))); !o.ok() {
		t.Errorf("%v, %v", o.server, o.client)
	}
}

func TestTheTrustFileIsTakenUpOnItsOwn(t *testing.T) {
	r := newRenewal(t, func(o *Options) { o.ClientAuth, o.AuthClient = RequireClientAuth, true })
	other := newCA(t, "other")
	mine, theirs := as(trusting(r.ca), issue(t, "client", newKey(t), r.ca)), as(trusting(r.ca), issue(t, "client", newKey(t), other))
	wantIn := func(mineIn, theirsIn bool) {
		t.Helper()
		if o := connect(t, r.Port, mine); o.ok() != mineIn {
			t.Errorf("a client of the first root: %v, %v", o.server, o.client)
		}
		if o := connect(t, r.Port, theirs); o.ok() != theirsIn {
			t.Errorf("a client of the other root: %v, %v", o.server, o.client)
		}
	}
	wantIn(true, false)
	write(t, r.trust, append(r.ca.certPEM(), other.certPEM()...))
	r.poll()
	wantIn(true, true)
	write(t, r.trust, []byte("garbage"))
	r.poll()
	r.wantStats(t, 0, 1)
	wantIn(true, true)
	// The roots and the pair do not wait for one another.
	renewed := issue(t, "server", newKey(t), r.ca)
	r.put(t, renewed)
	if !r.poll() {
		t.Error("a pair is not taken up while the trust file is broken")
	}
	wantIn(true, true)
	remove(t, r.key)
	write(t, r.trust, other.certPEM())
	if !r.poll() {
		t.Error("the roots are not taken up while the pair is broken")
	}
	wantIn(false, true)
}

func TestNewRootsEndOldSessions(t *testing.T) {
	r := newRenewal(t, func(o *Options) { o.ClientAuth, o.AuthClient = RequireClientAuth, true })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		write(t, r.trust, r.ca.certPEM())
		r.poll()
		config := as(trusting(r.ca), issue(t, "client", newKey(t), r.ca))
		config.MaxVersion = version
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for i, resumed := range []bool{false, true} {
			if o := connect(t, r.Port, config); !o.ok() || o.state.DidResume != resumed {
				t.Fatalf("%s, connection %d: %v, %v, resumed %v", tls.VersionName(version), i+1, o.server, o.client, o.state.DidResume)
			}
		}
		write(t, r.trust, newCA(t, "other").certPEM())
		r.poll()
		if o := connect(t, r.Port, config); o.ok() {
			t.Errorf("%s: a client that is trusted no more resumes its session", tls.VersionName(version))
		}
	}
}

func TestConnectionsOutliveTheirCertificate(t *testing.T) {
	r := newRenewal(t, nil)
	client, server := loopback(t)
	secure := tls.Client(client, trusting(r.ca))
	sent := make(chan error, 1)
	go func() {
		_, err := secure.Write([]byte("ping"))
		sent <- err
	}()
	c, err := r.Accept(server)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	r.put(t, issue(t, "server", newKey(t), r.ca))
	if !r.poll() {
		t.Fatal("nothing new is taken up")
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestRunPollsUntilItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewal(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.wantStats(t, 0, 0)
		renewed := issue(t, "server", r.old.key, r.ca)
		write(t, r.cert, renewed.certPEM())
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		r.wantStats(t, 1, 0)
		write(t, r.cert, []byte("garbage"))
		time.Sleep(time.Hour)
		synctest.Wait()
		r.wantStats(t, 1, 1)
		cancel()
		<-done
	})
	for _, opts := range []Options{{Mode: Disabled}, {TestMode: true}} {
		New(opts, quiet).Run(t.Context()) // returns
	}
}
