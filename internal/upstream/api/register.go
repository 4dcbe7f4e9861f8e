package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signpost/core"
)

// registrationHead is what a registration has beside its content.
type registrationHead struct {
	Cluster      string `json:"clusterName"`
	Broker       string `json:"brokerName"`
	ID           int64  `json:"brokerId"`
	Addr         string `json:"brokerAddr"`
	HAAddr       string `json:"haServerAddr,omitempty"`
	Zone         string `json:"zoneName,omitempty"`
	Timeout      int64  `json:"heartbeatTimeoutMillis,omitempty"`
	ActingMaster *bool  `json:"enableActingMaster,omitempty"`
	Session      string `json:"session"`
	Age          int64  `json:"age"`
	Partial      bool   `json:"partial"`
	ReturnGroup  bool   `json:"returnGroup"`
}

// Register says in full what a broker has said, through a session: its topics
// are merged into those that are known.
func (c *Client) Register(ctx context.Context, session string, r Registration) (Registered, error) {
	if err := needSession(session); err != nil {
		return Registered{}, err
	}
	for _, name := range [...]struct{ field, value string }{
		{"clusterName", r.Cluster}, {"brokerName", r.Broker}, {"brokerAddr", r.Addr}, {"haServerAddr", r.HAAddr}, {"zoneName", r.Zone},
	} {
		if err := CheckName(name.field, name.value); err != nil {
			return Registered{}, err
		}
	}
	var plain []byte
	if c.o.Uncompressed || r.Body.Size() == 0 {
		var err error
		if plain, err = r.Body.text(); err != nil {
			return Registered{}, err
		}
	}
	head := registrationHead{
		Cluster: r.Cluster, Broker: r.Broker, ID: r.ID, Addr: r.Addr, HAAddr: r.HAAddr, Zone: r.Zone,
		Timeout: r.Timeout.Milliseconds(), Session: session, Partial: true, ReturnGroup: true,
	}
	if r.ActingMaster != core.ActingMasterUnknown {
		acting := r.ActingMaster == core.ActingMasterOn
		head.ActingMaster = &acting
	}
	body := func(now time.Time) ([]byte, string) {
		head.Age = age(now, r.Said)
		begin := bytes.TrimSuffix(marshal(head), []byte("}"))
		if c.o.Uncompressed {
			return append(begin, plain...), typeJSON
		}
		return append(gzipped(begin), r.Body.gzipped...), typeGzip
	}
	var said Registered
	err := c.do(ctx, request{
		call: "registerBroker", method: http.MethodPut, path: "/v1/register/broker", body: body,
		patience: slow, status: http.StatusOK, most: smallAnswer,
	}, func(a answer) (err error) {
		said, err = readRegistered(a, r.Broker)
		return err
	})
	return said, err
}

// BeatSession renews a session and brings what changed since the revision that
// is known here. core.ErrSessionClosed if it ran out or was closed.
func (c *Client) BeatSession(ctx context.Context, id string, known core.Revision) (SessionHead, error) {
	return c.session(ctx, url.Values{"id": {id}, "revision": {revision(known)}})
}

// OpenSession begins the session of a gateway. It may be repeated.
func (c *Client) OpenSession(ctx context.Context, id, gateway string, known core.Revision) (SessionHead, error) {
	return c.session(ctx, url.Values{"id": {id}, "revision": {revision(known)}, "open": {"true"}, "gateway": {gateway}})
}

func (c *Client) session(ctx context.Context, query url.Values) (head SessionHead, err error) {
	err = c.do(ctx, request{
		call: "beatSession", method: http.MethodPut, path: "/v1/register/session", query: query,
		patience: quick, status: http.StatusOK, most: smallAnswer,
	}, func(a answer) (err error) {
		head, err = readSessionHead(a)
		return err
	})
	return head, err
}

type beatJSON struct {
	Cluster     string       `json:"clusterName"`
	Broker      string       `json:"brokerName"`
	ID          *int64       `json:"brokerId,omitempty"`
	Addr        string       `json:"brokerAddr"`
	DataVersion *versionJSON `json:"dataVersion,omitempty"`
	Session     string       `json:"session,omitempty"`
	Age         int64        `json:"age"`
}

// Beats confirms that a session holds brokers, at most MaxBatch of them. They
// are answered in their order.
func (c *Client) Beats(ctx context.Context, session string, beats []Beat) ([]Confirmed, Meta, error) {
	if err := needSession(session); err != nil {
		return nil, Meta{}, err
	}
	if err := fits(len(beats), "beats"); err != nil {
		return nil, Meta{}, err
	}
	body := func(now time.Time) ([]byte, string) {
		said := struct {
			ReturnGroups bool       `json:"returnGroups"`
			Beats        []beatJSON `json:"beats"`
		}{true, make([]beatJSON, len(beats))}
		for i, b := range beats {
			one := beatJSON{Cluster: b.Cluster, Broker: b.Broker, Addr: b.Addr, Session: session, Age: age(now, b.Said)}
			if b.HasID {
				one.ID = &b.ID
			}
			if v := b.DataVersion; v != nil {
				one.DataVersion = &versionJSON{v.Counter, v.StateVersion, v.Timestamp}
			}
			said.Beats[i] = one
		}
		return c.encode(said)
	}
	var confirmed []Confirmed
	var meta Meta
	err := c.do(ctx, request{
		call: "beats", method: http.MethodPost, path: "/v1/register/beats", body: body,
		patience: quick + time.Duration(len(beats))*perItem, status: http.StatusOK, most: smallAnswer,
	}, func(a answer) (err error) {
		meta = a.meta
		confirmed, err = readBeatAnswers(a, beats)
		return err
	})
	return confirmed, meta, err
}

// Unregister says that a broker left or, with LeaseOnly, that this session
// holds it no more. What is not there is no error.
func (c *Client) Unregister(ctx context.Context, session string, d Departure) (Meta, error) {
	if !d.LeaseOnly {
		session = ""
	} else if err := needSession(session); err != nil {
		return Meta{}, err
	}
	body := func(now time.Time) ([]byte, string) {
		return c.encode(beatJSON{Cluster: d.Cluster, Broker: d.Broker, ID: &d.ID, Addr: d.Addr, Session: session, Age: age(now, d.Said)})
	}
	return c.tell(ctx, request{call: "unregister", method: http.MethodPost, path: "/v1/register/unregister", body: body})
}

// RegisterQueues stores a topic's queues as they are given.
func (c *Client) RegisterQueues(ctx context.Context, topic string, rows []core.Row) (Meta, error) {
	if err := fits(len(rows), "queueDatas"); err != nil {
		return Meta{}, err
	}
	type queueData struct {
		Broker  string `json:"brokerName"`
		Read    int32  `json:"readQueueNums"`
		Write   int32  `json:"writeQueueNums"`
		Perm    int32  `json:"perm"`
		SysFlag int32  `json:"topicSysFlag"`
	}
	said := struct {
		Queues []queueData `json:"queueDatas"`
	}{make([]queueData, len(rows))}
	for i, row := range rows {
		said.Queues[i] = queueData{row.Broker, row.Queues.Read, row.Queues.Write, row.Queues.Perm, row.Queues.SysFlag}
	}
	return c.tell(ctx, request{
		call: "registerQueues", method: http.MethodPut, path: "/v1/register/queues", query: url.Values{"topic": {topic}},
		body: func(time.Time) ([]byte, string) { return c.encode(said) },
	})
}

// tell makes a call that is answered without a word.
func (c *Client) tell(ctx context.Context, r request) (meta Meta, err error) {
	r.patience, r.status, r.most = slow, http.StatusNoContent, smallAnswer
	err = c.do(ctx, r, func(a answer) error {
		meta = a.meta
		return nil
	})
	return meta, err
}

// zipFrom is the size in bytes from which it is worth to compress what is sent.
const zipFrom = 2 << 10

// encode makes the body of a request.
func (c *Client) encode(v any) (body []byte, mediaType string) {
	body = marshal(v)
	if c.o.Uncompressed || len(body) < zipFrom {
		return body, typeJSON
	}
	return gzipped(body), typeGzip
}

// marshal encodes what is made of strings, numbers and the like only, which
// does not fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// age is how long ago something was said, in milliseconds.
func age(now, said time.Time) int64 {
	if said.IsZero() {
		return 0
	}
	return min(max(0, now.Sub(said).Milliseconds()), maxMillis)
}

func revision(r core.Revision) string { return strconv.FormatUint(uint64(r), 10) }

// needSession refuses what would be said in nobody's name: a lease without a
// session lives by itself, and a departure without one is for all.
func needSession(session string) error {
	if session == "" {
		return &core.FieldError{Field: "session", Reason: "is missing"}
	}
	return nil
}

// maxName is what the API allows a name to have, in bytes.
const maxName = 512

// CheckName refuses, as a *core.FieldError, a name that the API refuses in any
// call: a batch with one such name in it has no answer for the others.
func CheckName(field, name string) error {
	switch {
	case len(name) > maxName:
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", maxName)}
	case !utf8.ValidString(name):
		return &core.FieldError{Field: field, Reason: "is not UTF-8"}
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &core.FieldError{Field: field, Reason: "has a control character"}
	}
	return nil
}

// maxIdentifier is what the API allows an identifier to have, in bytes.
const maxIdentifier = 64

var identifier = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// CheckIdentifier refuses, as a *core.FieldError, what the API takes for no id
// of a session or a gateway.
func CheckIdentifier(field, id string) error {
	if len(id) > maxIdentifier || !identifier.MatchString(id) {
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("is not 1 to %d of A-Z a-z 0-9 . _ ~ -", maxIdentifier)}
	}
	return nil
}

func fits(n int, what string) error {
	if n > MaxBatch {
		return &core.FieldError{Field: what, Reason: fmt.Sprintf("are more than %d", MaxBatch)}
	}
	return nil
}
