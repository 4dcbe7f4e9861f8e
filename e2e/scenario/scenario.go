// Package scenario holds conversations with a NameServer that together show
// every request code, its errors and its variants, and the tools around them:
// recording one with a real server as a golden file, reading such a file, and
// replaying it against any server to see where that one differs.
//
// A Scenario is written once as Go code and recorded for each release (see
// e2e/capture). The golden file keeps the request bytes, so a replay needs no
// Go code of the scenario: the file is the specification.
package scenario

import (
	"fmt"
	"slices"

	"signpost/internal/remoting"
)

// Scenario is one conversation with a NameServer that knows nothing yet.
type Scenario struct {
	// Name is a slug, unique among all scenarios; golden files are named for it.
	Name string
	// About says in one line what the conversation shows.
	About string
	// Versions are the releases that it is recorded with; empty means all.
	Versions []string
	// Props are the key=value properties that the server is started with.
	Props []string
	// Traces is set when the server keeps something that the end of all
	// connections does not clear (configuration, key-values, mappings), so
	// that no other scenario may use the same process.
	Traces bool

	script func(*Script)
}

// The releases that scenarios are recorded with.
const (
	v480 = "4.8.0"
	v497 = "4.9.7"
	v533 = "5.3.3"
)

// For returns the scenario's steps as they are for a release.
func (sc Scenario) For(version string) []Step {
	s := &Script{Version: version, named: map[string]int{}}
	sc.script(s)
	return s.steps
}

// AppliesTo reports whether the scenario is recorded with a release.
func (sc Scenario) AppliesTo(version string) bool {
	return len(sc.Versions) == 0 || slices.Contains(sc.Versions, version)
}

// All returns every scenario, in the order in which they are best read.
func All() []Scenario {
	return slices.Concat(frameScenarios, headerScenarios, kvScenarios, registerScenarios, registerErrorScenarios,
		replicaScenarios, clusterScenarios, mappingScenarios, actingScenarios, zoneScenarios, leaveScenarios, routeScenarios,
		listScenarios, topicScenarios, versionScenarios, configScenarios)
}

// Kind is what a step does and waits for.
type Kind string

// The kinds of steps.
const (
	// Ask sends Send and waits for the one answer with Opaque.
	Ask Kind = "ask"
	// Await asks again and again until the answer is the wanted one: for what
	// a server does a moment after it has answered or lost a connection.
	Await Kind = "await"
	// Settle asks again and again until the answer stays the same for a
	// while: for what must not happen a moment later.
	Settle Kind = "settle"
	// Silent sends Send, to which no answer ever comes.
	Silent Kind = "silent"
	// Write sends Send and waits for nothing: a part of a frame, or frames
	// whose answers later steps receive.
	Write Kind = "write"
	// Answer waits for the answer with Opaque to something written before.
	Answer Kind = "answer"
	// Cut sends Send, upon which the server closes the connection.
	Cut Kind = "cut"
	// Open sends Send, upon which the server neither answers nor closes.
	Open Kind = "open"
	// Close closes the connection.
	Close Kind = "close"
	// Listen accepts connections at Addr, as a broker does.
	Listen Kind = "listen"
	// Receive waits for a frame that the server sends to the Listen address.
	Receive Kind = "receive"
)

// Outcome is what came of a step.
type Outcome string

// The outcomes of steps.
const (
	Answered Outcome = "answer" // Step.Answer has arrived
	Nothing  Outcome = "none"   // no answer, and the connection is open
	Closed   Outcome = "closed" // the server closed the connection
)

// Step is one step of a conversation and, once recorded, what came of it.
type Step struct {
	// Name is a slug, unique in the scenario, and part of Difference.Key.
	Name string
	Kind Kind
	// Conn names the connection (or the listener). A connection is dialled at
	// its first use, and again at a use after it was closed.
	Conn string
	// Addr is the address of a listener.
	Addr string
	// Opaque is that of the answer to wait for.
	Opaque int32
	// Send is what goes over the connection.
	Send []byte
	// Masks are applied to Answer wherever one is recorded or compared.
	Masks []Mask

	// Outcome and Answer, a whole frame, are filled in by a recording.
	Outcome Outcome
	Answer  []byte

	// wanted tells an Await of a scenario which answer to wait for.
	wanted func(*remoting.Command) bool
}

// Script collects the steps of a scenario for one release. Its methods append
// a step and number the requests, so that opaques are unique and reproducible.
type Script struct {
	// Version is the release of the server, and by default that of the peers.
	Version string

	steps  []Step
	named  map[string]int
	opaque int32
}

// is5 reports whether the server is a 5.x one.
func (s *Script) is5() bool { return s.Version == v533 }

// is480 reports whether the server is a 4.8.0 one.
func (s *Script) is480() bool { return s.Version == v480 }

// peer is the version ordinal of the server's release, which peers send.
func (s *Script) peer() int32 {
	switch s.Version {
	case v480:
		return remoting.V4_8_0
	case v497:
		return remoting.V4_9_7
	default:
		return remoting.V5_3_3
	}
}

// add appends a step. A second step of a name gets a number.
func (s *Script) add(step Step) {
	s.named[step.Name]++
	if n := s.named[step.Name]; n > 1 {
		step.Name = fmt.Sprintf("%s-%d", step.Name, n)
	}
	s.steps = append(s.steps, step)
}

// frame builds the request with the next opaque.
func (s *Script) frame(r request) []byte {
	s.opaque++
	return r.frame(s.opaque, s.peer())
}

func (s *Script) ask(conn, name string, r request) {
	send := s.frame(r)
	s.add(Step{Name: name, Kind: Ask, Conn: conn, Opaque: s.opaque, Send: send, Masks: r.masks})
}

func (s *Script) await(conn, name string, r request, wanted func(*remoting.Command) bool) {
	send := s.frame(r)
	s.add(Step{Name: name, Kind: Await, Conn: conn, Opaque: s.opaque, Send: send, Masks: r.masks, wanted: wanted})
}

func (s *Script) settle(conn, name string, r request) {
	send := s.frame(r)
	s.add(Step{Name: name, Kind: Settle, Conn: conn, Opaque: s.opaque, Send: send, Masks: r.masks})
}

func (s *Script) silent(conn, name string, r request) {
	send := s.frame(r)
	s.add(Step{Name: name, Kind: Silent, Conn: conn, Opaque: s.opaque, Send: send})
}

// ask5 is ask where 5.x knows a request and 4.x says nothing to it.
func (s *Script) ask5(conn, name string, r request) {
	if s.is5() {
		s.ask(conn, name, r)
	} else {
		s.silent(conn, name, r)
	}
}

// askRaw sends bytes as they are and waits for the answer with opaque.
func (s *Script) askRaw(conn, name string, opaque int32, send []byte) {
	s.add(Step{Name: name, Kind: Ask, Conn: conn, Opaque: opaque, Send: send})
}

func (s *Script) silentRaw(conn, name string, opaque int32, send []byte) {
	s.add(Step{Name: name, Kind: Silent, Conn: conn, Opaque: opaque, Send: send})
}

func (s *Script) write(conn, name string, send []byte) {
	s.add(Step{Name: name, Kind: Write, Conn: conn, Send: send})
}

func (s *Script) answer(conn, name string, opaque int32) {
	s.add(Step{Name: name, Kind: Answer, Conn: conn, Opaque: opaque})
}

func (s *Script) cut(conn, name string, send []byte) {
	s.add(Step{Name: name, Kind: Cut, Conn: conn, Send: send})
}

func (s *Script) open(conn, name string, send []byte) {
	s.add(Step{Name: name, Kind: Open, Conn: conn, Send: send})
}

func (s *Script) close(conn string) {
	s.add(Step{Name: "close-" + conn, Kind: Close, Conn: conn})
}
