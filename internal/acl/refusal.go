package acl

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"signpost/internal/remoting"
)

// Refusal is why a request is refused, in the words of a broker with ACL
// (5.3.3: DefaultAuthenticationHandler, AclAuthorizationHandler).
type Refusal struct {
	reason string // one of five: a label to count by
	text   string
}

// Error is the text for the peer.
func (r *Refusal) Error() string { return r.text }

// Code is what such brokers answer with.
func (r *Refusal) Code() remoting.Code { return remoting.NoPermission }

var (
	errUnsigned  = &Refusal{reason: "acl: no account", text: "username cannot be null."}
	errSignature = &Refusal{reason: "acl: signature", text: "check signature failed."}
)

func errUnknown(key string) *Refusal {
	return &Refusal{reason: "acl: unknown account", text: "User:" + shorten(key) + " is not found."}
}

func errPermission(key string, class Class, code remoting.Code, from netip.Addr) *Refusal {
	reason, what := "acl: permission", "NameServer:"+class.String()
	if class == none {
		reason, what = "acl: unknown code", "RequestCode:"+strconv.Itoa(int(code))
	}
	return &Refusal{reason, "User:" + key + " has no permission to access " + what + " from " + from.String() + ", no matched policies."}
}

// shownKey is how much of a peer's accessKey is told again, in bytes.
const shownKey = 64

func shorten(key string) string {
	if len(key) <= shownKey {
		return key
	}
	cut := shownKey
	for cut > 0 && !utf8.RuneStart(key[cut]) {
		cut--
	}
	return strings.Clone(key[:cut]) + "..."
}

const (
	// quietFor is how long nothing more is logged of a peer that was refused
	// something.
	quietFor = time.Minute
	// quietPeers bounds the peers that are remembered for it. More share one
	// place.
	quietPeers = 1024
)

// quiet bounds the log of refusals to a line per peer and minute.
type quiet struct {
	mu    sync.Mutex
	peers map[netip.Addr]*hush
}

// hush is one peer that was heard of.
type hush struct {
	since time.Time
	count int // refusals since that were not told
}

func newQuiet() quiet { return quiet{peers: map[netip.Addr]*hush{}} }

// say reports whether a refusal is to be logged, and how many of the same peer
// were not since the last one that was.
func (q *quiet) say(now time.Time, peer netip.Addr) (before int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.peers[peer]
	if h == nil {
		if len(q.peers) >= quietPeers {
			q.forget(now)
		}
		if len(q.peers) >= quietPeers {
			peer = netip.Addr{}
			h = q.peers[peer]
		}
	}
	if h == nil {
		q.peers[peer] = &hush{since: now}
		return 0, true
	}
	if now.Sub(h.since) < quietFor {
		h.count++
		return 0, false
	}
	before = h.count
	*h = hush{since: now}
	return before, true
}

// forget drops the peers that have been quiet long enough.
func (q *quiet) forget(now time.Time) {
	for peer, h := range q.peers {
		if now.Sub(h.since) >= quietFor {
			delete(q.peers, peer)
		}
	}
}
