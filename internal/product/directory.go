package product

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// readTime is for the address server to answer (Java:
	// DefaultTopAddressing.fetchNSAddr).
	readTime = 3 * time.Second
	// readEvery is how old a list may get, and readSoon when to try again
	// after a failure (Java: MQClientInstance.startScheduledTask, which looks
	// a second time after 10 s).
	readEvery = 2 * time.Minute
	readSoon  = 10 * time.Second

	defaultPort = "8080" // of the address server
	maxList     = 64 << 10
	maxServers  = 64
)

// directory is the list of NameServers that an address server gives out
// (Java: MixAll.getWSAddr, DefaultTopAddressing).
type directory struct {
	url  string
	dial dialFunc
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	addrs []string // the last good list
	err   error    // of the last read
	due   time.Time
}

func newDirectory(o Options, dial dialFunc) *directory {
	return &directory{url: directoryURL(o.AddressServer, o.EnvName), dial: dial, now: o.Now, log: o.Log}
}

func directoryURL(server, env string) string {
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, defaultPort)
	}
	at := "http://" + server + "/rocketmq/nsaddr"
	if strings.TrimSpace(env) == "" {
		return at
	}
	return at + "-" + url.PathEscape(env) + "?nofix=1"
}

// list returns the last good list, and whether it should be read again. If
// there was none yet, err is why.
func (d *directory) list(now time.Time) (addrs []string, due bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.addrs == nil {
		err = d.err
	}
	return d.addrs, !now.Before(d.due), err
}

// read reads the list. The last good one stays if that fails.
func (d *directory) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	addrs, err := d.get(ctx)
	if err != nil {
		err = fmt.Errorf("product NameServers from %s: %w", d.url, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	failing := d.err != nil
	d.err = err
	if err != nil {
		d.due = d.now().Add(readSoon)
		if !failing {
			d.log.Warn("address server failed", "kept", d.addrs, "error", err)
		}
		return err
	}
	d.due = d.now().Add(readEvery)
	if failing || !slices.Equal(addrs, d.addrs) {
		d.log.Info("product NameServers", "addrs", addrs, "from", d.url)
	}
	d.addrs = addrs
	return nil
}

func (d *directory) get(ctx context.Context) ([]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{
		// Not with the context that it gets, which lasts beyond the request.
		DialContext:            func(_ context.Context, network, addr string) (net.Conn, error) { return d.dial(ctx, network, addr) },
		DisableKeepAlives:      true, // one request in two minutes
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxList,
	}}
	resp, err := client.Do(req)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // without the URL, which the caller names
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxList {
		return nil, fmt.Errorf("answered more than %d bytes", maxList)
	}
	return parseList(string(body))
}

// parseList returns the addresses in the first line that is not blank. What is
// no host:port is left out, for the others may still work.
func parseList(text string) ([]string, error) {
	line := strings.TrimSpace(text)
	if end := strings.IndexAny(line, "\r\n"); end >= 0 {
		line = line[:end]
	}
	var addrs []string
	for addr := range strings.SplitSeq(line, ";") {
		addr = strings.TrimSpace(addr)
		if isHostPort(addr) && !slices.Contains(addrs, addr) && len(addrs) < maxServers {
			addrs = append(addrs, addr)
		}
	}
	if addrs == nil {
		return nil, fmt.Errorf("no host:port in the answer %.200q", line)
	}
	return addrs, nil
}

func isHostPort(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
