package discovery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// dns answers what it is told to.
type dns struct {
	mu      sync.Mutex
	hosts   map[string][]string
	err     error         // instead
	takes   time.Duration // an answer
	lookups int
}

func (d *dns) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookups++
	if d.takes > 0 {
		select {
		case <-time.After(d.takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	texts, ok := d.hosts[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

func (d *dns) set(host string, addrs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[host] = addrs
}

func (d *dns) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// run resolves in a bubble, and gives f a way to ask for the list: "" if it is
// not answered.
func run(t *testing.T, d *dns, f func(_ *list, answer func() string, log *bytes.Buffer), servers ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l, err := newList(Options{Servers: servers, Resolver: d, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { l.run(ctx) })
		f(l, func() string {
			synctest.Wait()
			w := httptest.NewRecorder()
			handler(l).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			switch {
			case w.Code == http.StatusOK && w.Body.Len() > 0:
				return w.Body.String()
			case w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "":
				t.Errorf("answered %d %q", w.Code, w.Body)
			}
			return ""
		}, &log)
		cancel()
		running.Wait()
	})
}

func wantList(t *testing.T, got, want, when string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
}

func TestANameStandsForAllItsAddresses(t *testing.T) {
	d := &dns{hosts: map[string][]string{"ns": {"10.0.0.2", "2001:db8::1", "::ffff:10.0.0.1", "10.0.0.2"}}}
	run(t, d, func(_ *list, answer func() string, _ *bytes.Buffer) {
		wantList(t, answer(), "10.0.0.1:9876;10.0.0.2:9876;10.0.0.9:1;[2001:db8::1]:9876", "at once")

		d.set("ns", "10.0.0.3")
		wantList(t, answer(), "10.0.0.1:9876;10.0.0.2:9876;10.0.0.9:1;[2001:db8::1]:9876", "before it is resolved anew")
		time.Sleep(resolveEvery)
		wantList(t, answer(), "10.0.0.3:9876;10.0.0.9:1", "after it")
	}, "ns:9876", "10.0.0.9:1")
}

func TestOneNameWithTwoPortsIsResolvedOnce(t *testing.T) {
	d := &dns{hosts: map[string][]string{"ns": {"10.0.0.1"}}}
	run(t, d, func(_ *list, answer func() string, _ *bytes.Buffer) {
		wantList(t, answer(), "10.0.0.1:1;10.0.0.1:2", "at once")
		if d.lookups != 1 {
			t.Errorf("%d lookups, want 1", d.lookups)
		}
	}, "ns:2", "NS:1")
}

func TestWhatWasKnownStaysWhileResolvingFails(t *testing.T) {
	d := &dns{hosts: map[string][]string{"ns": {"10.0.0.1", "10.0.0.2"}}}
	run(t, d, func(_ *list, answer func() string, log *bytes.Buffer) {
		const all = "10.0.0.1:9876;10.0.0.2:9876"
		wantList(t, answer(), all, "at once")
		d.fail(errors.New("server misbehaving"))
		time.Sleep(10 * resolveEvery)
		wantList(t, answer(), all, "while it fails")
		d.fail(nil)
		d.set("ns") // no address is a failure too
		time.Sleep(resolveEvery)
		wantList(t, answer(), all, "without an address")
		d.set("ns", "0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0")
		time.Sleep(resolveEvery)
		wantList(t, answer(), all, "with addresses that nobody can connect to")
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d lines of a failure that went on, want 1:\n%s", n, log)
		}
		d.set("ns", "10.0.0.2")
		time.Sleep(resolveEvery)
		wantList(t, answer(), "10.0.0.2:9876", "when it works again")
	}, "ns:9876")
}

func TestALookupHasADeadline(t *testing.T) {
	d := &dns{hosts: map[string][]string{"ns": {"10.0.0.1"}}, takes: time.Hour}
	run(t, d, func(_ *list, answer func() string, _ *bytes.Buffer) {
		wantList(t, answer(), "", "while it is looked up")
		time.Sleep(resolveTime)
		synctest.Wait()
		d.mu.Lock()
		d.takes = 0
		d.mu.Unlock()
		time.Sleep(resolveEvery)
		wantList(t, answer(), "10.0.0.1:9876", "after it was given up and tried again")
	}, "ns:9876")
}

func TestAPartIsNotTakenForTheWhole(t *testing.T) {
	d := &dns{hosts: map[string][]string{"one": {"10.0.0.1"}}}
	run(t, d, func(l *list, answer func() string, _ *bytes.Buffer) {
		time.Sleep(resolveEvery)
		wantList(t, answer(), "", "while a name was never resolved")
		if got, want := (&Server{list: l}).Stats(), (Stats{Unresolved: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		time.Sleep(graceTime - resolveEvery)
		wantList(t, answer(), "10.0.0.1:9876;10.0.0.9:9876", "after the time of grace")
		d.set("two", "10.0.0.2")
		time.Sleep(resolveEvery)
		wantList(t, answer(), "10.0.0.1:9876;10.0.0.2:9876;10.0.0.9:9876", "when it was resolved")
		if got, want := (&Server{list: l}).Stats(), (Stats{Listed: 3}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}, "one:9876", "two:9876", "10.0.0.9:9876")
}

func TestNothingKnownIsNoAnswer(t *testing.T) {
	d := &dns{err: errors.New("no DNS server")}
	run(t, d, func(_ *list, answer func() string, _ *bytes.Buffer) {
		wantList(t, answer(), "", "at once")
		time.Sleep(time.Hour)
		wantList(t, answer(), "", "after an hour")
	}, "ns:9876")
}

func TestANameStandsForSoManyAddressesAtMost(t *testing.T) {
	var many []string
	for a := netip.MustParseAddr("10.0.0.1"); len(many) < 2*maxAddresses; a = a.Next() {
		many = append(many, a.String())
	}
	run(t, &dns{hosts: map[string][]string{"ns": many}}, func(_ *list, answer func() string, _ *bytes.Buffer) {
		if n := strings.Count(answer(), ";") + 1; n != maxAddresses {
			t.Errorf("%d addresses, want %d", n, maxAddresses)
		}
	}, "ns:9876")
}
