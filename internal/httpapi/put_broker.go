package httpapi

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"signpost/core"
	"signpost/internal/wire"
)

// registered answers a registration as request code 103 does.
type registered struct {
	MasterAddr   string `json:"masterAddr,omitempty"`
	HAServerAddr string `json:"haServerAddr,omitempty"`
	// Revision is what it raised; absent if it changed nothing.
	Revision  uint64            `json:"revision,omitempty"`
	OrderConf map[string]string `json:"orderTopicConf,omitempty"`
	Group     *toldGroup        `json:"group,omitempty"` // if it was asked for
}

// registerBroker answers PUT /v1/register/broker: a broker's registration.
//
// The body is judged by its digest, which is over the inflated content and not
// over its DataVersion alone: a registration that says what the last one said
// is one conditional write, and its topics are not decoded.
func (s *Server) registerBroker(ctx context.Context, req *request) (answer, error) {
	sent, plain := buffers.Get().(*bytes.Buffer), buffers.Get().(*bytes.Buffer)
	defer giveBack(sent)
	defer giveBack(plain)
	body, zipped, err := receive(sent, req, s.o.Limits.Body)
	if err != nil {
		return answer{}, err
	}
	done, err := s.turn(ctx)
	if err != nil {
		return answer{}, err
	}
	defer done()
	if zipped {
		if body, err = inflate(plain, body, s.o.Limits.Inflated); err != nil {
			return answer{}, err
		}
	}
	r, err := readRegistration(body)
	if err != nil {
		return answer{}, err
	}
	if r.Timeout == 0 {
		r.Timeout = s.o.BrokerTimeout
	}
	r.Owner, r.Clusters, r.Front = req.caller.ID, req.caller.writable(), front
	r.Content = func() (core.Content, error) { return r.content(s.o.Limits.Topics) }
	var now time.Time
	now, r.Age = s.said(req, r.Age)
	said, err := s.o.Write.Register(ctx, now, r.Registration)
	if err != nil {
		return answer{}, err
	}
	reply := registered{MasterAddr: said.MasterAddr, Revision: uint64(said.Revision)}
	if said.MasterAddr != "" {
		reply.HAServerAddr = said.HAAddr
	}
	if r.wantsOrder {
		if reply.OrderConf, err = s.orderConf(ctx); err != nil {
			return answer{}, err
		}
	}
	s.learn(said.Revision)
	if r.wantsGroup {
		groups, err := s.told(ctx, []string{r.Broker})
		if err != nil {
			return answer{}, err
		}
		reply.Group = &groups[0]
	}
	return jsonAnswer(reply)
}

// told returns the named groups, in that order, as a gateway is told of them.
// One that is not there has no replicas.
func (s *Server) told(ctx context.Context, names []string) ([]toldGroup, error) {
	head, err := s.o.Write.Head(ctx, core.Revision(s.known.Load()), true)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	s.saw(head)
	groups := make([]toldGroup, len(names))
	err = each(ctx, len(names), func(ctx context.Context, i int) error {
		now := s.o.Now()
		g, err := s.o.Write.Group(ctx, now, names[i])
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			return err
		}
		g.Name = names[i]
		groups[i] = toldGroup{groupReplyOf(g, head.Sessions, now), followedFor(now, g.FollowedUntil(head.Sessions, now)).Milliseconds()}
		return nil
	})
	return groups, err
}

// turn waits to be one of the registrations being worked on, which so cannot
// take more memory together than was meant for them.
func (s *Server) turn(ctx context.Context) (done func(), err error) {
	done = func() { <-s.turns }
	select {
	case s.turns <- struct{}{}:
		return done, nil
	default:
	}
	wait := time.NewTimer(s.o.Limits.Wait)
	defer wait.Stop()
	select {
	case s.turns <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn: %w", ctx.Err())
	case <-wait.C:
		return nil, &problemError{kind: tooMany, detail: fmt.Sprintf("%d registrations are being worked on", cap(s.turns))}
	}
}

func (s *Server) orderConf(ctx context.Context) (map[string]string, error) {
	table, err := s.o.Write.KV(ctx, core.OrderNamespace)
	if errors.Is(err, core.ErrNotFound) {
		return nil, nil
	}
	return table, err
}

// registration is the body of a registration, its tables not read yet.
type registration struct {
	core.Registration
	partial    bool
	wantsOrder bool
	wantsGroup bool

	body     []byte
	version  []byte // dataVersion, as it stands in the body
	table    []byte // topicConfigTable
	mappings []byte // topicQueueMappingInfoMap
	filters  []string
}

// readRegistration reads all of a registration but its tables, and takes its
// digest.
func readRegistration(body []byte) (*registration, error) {
	r := &registration{body: body}
	var acting bool
	hasID := false
	err := readObject(body, "", members{
		"clusterName":            name(&r.Cluster),
		"brokerName":             name(&r.Broker),
		"brokerId":               func(v []byte) error { hasID = true; return integer(&r.ID, -1<<63)(v) },
		"brokerAddr":             name(&r.Addr),
		"haServerAddr":           name(&r.HAAddr),
		"zoneName":               name(&r.Zone),
		"heartbeatTimeoutMillis": millis(&r.Timeout),
		"enableActingMaster": func(v []byte) error {
			err := flag(&acting)(v)
			r.ActingMaster = core.ActingMasterOff
			if acting {
				r.ActingMaster = core.ActingMasterOn
			}
			return err
		},
		"session":                  token(&r.Session),
		"age":                      millis(&r.Age),
		"partial":                  flag(&r.partial),
		"returnOrderTopicConf":     flag(&r.wantsOrder),
		"returnGroup":              flag(&r.wantsGroup),
		"dataVersion":              raw(&r.version),
		"topicConfigTable":         raw(&r.table),
		"topicQueueMappingInfoMap": raw(&r.mappings),
		"filterServerList":         r.readFilters,
	})
	if err != nil {
		return nil, err
	}
	for _, f := range [...]struct{ name, value string }{
		{"clusterName", r.Cluster}, {"brokerName", r.Broker}, {"brokerAddr", r.Addr}, {"topicConfigTable", string(r.table[:min(1, len(r.table))])},
	} {
		if err := present("", f.name, f.value); err != nil {
			return nil, err
		}
	}
	if !hasID {
		return nil, &core.FieldError{Field: "brokerId", Reason: "is missing"}
	}
	r.Digest = r.digest()
	return r, nil
}

// maxFilterServers is far beyond what a broker starts.
const maxFilterServers = 4096

func (r *registration) readFilters(value []byte) error {
	r.filters = []string{}
	return readList(value, "filter servers", maxFilterServers, func(_ int, value []byte) error {
		var server string
		if err := name(&server)(value); err != nil {
			return err
		}
		r.filters = append(r.filters, server)
		return nil
	})
}

// digest covers all that a registration says but when and through whom. Its
// members may come in any order. A second hash is not worth its time: two
// registrations of one broker would have to collide in 64 bits.
func (r *registration) digest() uint64 {
	var d xxhash.Digest
	d.Reset()
	var number [8]byte
	integer := func(n int64) {
		binary.LittleEndian.PutUint64(number[:], uint64(n))
		d.Write(number[:])
	}
	text := func(s string) { // with its length, so that two never read as two others
		integer(int64(len(s)))
		d.WriteString(s)
	}
	for _, s := range [...]string{r.Cluster, r.Broker, r.Addr, r.HAAddr, r.Zone} {
		text(s)
	}
	integer(r.ID)
	integer(int64(r.Timeout))
	integer(int64(r.ActingMaster))
	if r.partial {
		integer(1)
	}
	integer(int64(len(r.filters)))
	if r.filters == nil {
		integer(-1)
	}
	for _, s := range r.filters {
		text(s)
	}
	for _, b := range [...][]byte{r.version, r.mappings, r.table} {
		integer(int64(len(b)))
		d.Write(b)
	}
	return max(d.Sum64(), 1)
}

// content decodes the tables. They are members of the body as they were
// members of what brokers before 3.0.11 sent, so that its decoder reads them.
func (r *registration) content(maxTopics int) (core.Content, error) {
	if !json.Valid(r.body) { // the decoder takes more than JSON
		return core.Content{}, &core.FieldError{Field: "body", Reason: "is not JSON"}
	}
	c, err := wire.DecodeRegistration(r.body, wire.Options{MaxTopics: maxTopics})
	if err != nil {
		return core.Content{}, err
	}
	for _, t := range c.Topics {
		if len(t.Name) > maxName {
			return core.Content{}, &core.FieldError{Field: "topicName", Reason: fmt.Sprintf("is longer than %d bytes", maxName)}
		}
	}
	c.FilterServers = r.filters
	c.Whole = !r.partial
	return c, nil
}
