//go:build e2e

package parity

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"signpost/core"
)

// mustCover says whether a registration with a new DataVersion has to name all
// topics that its group has, because those that it leaves out are accepted to
// differ.
func (g generator) mustCover(r Register) bool {
	group := &g.groups[r.Broker]
	if !g.contributes(r) {
		return false
	}
	was, present := group.idOf(r.Addr)
	return group.overridden || // overrideOfGroup
		group.masterless() && r.ID == core.MasterID || // masterless
		group.acting && present && was == core.MasterID && r.ID != was // masterless
}

// avoid skips a step of which it is accepted that the servers part over it.
func avoid(t *rapid.T, by ...*Accepted) {
	if len(by) == 0 {
		return
	}
	names := make([]string, len(by))
	for i, a := range by {
		names[i] = a.Name
	}
	t.Skip("avoided: " + strings.Join(names, ", "))
}

// parts returns what a registration shows of which it is accepted that it
// differs; nothing if the servers should do the same.
func (g generator) parts(r Register) []*Accepted {
	group := &g.groups[r.Broker]
	was, present := group.idOf(r.Addr)
	holder, taken := group.replicas[r.ID]
	switches := present && was != r.ID
	if len(r.Topics) == 1 && (!taken || switches && holder == r.Addr) && (g.old || switches) {
		return []*Accepted{oneTopicOfUnknown, refusedSwitch}
	}
	if group.acting && switches && was == core.MasterID && (taken || !g.contributes(r)) {
		return []*Accepted{masterless}
	}
	if !g.contributes(r) {
		return nil
	}
	inPlace := present && was == r.ID
	if changed := !inPlace || r.Version != group.live[r.Addr].Version; !changed {
		return g.partsUnchanged(r)
	}
	for name := range group.rows {
		if g.mustCover(r) && !slices.ContainsFunc(r.Topics, func(t Topic) bool { return t.Name == name }) {
			return []*Accepted{overrideOfGroup, masterless}
		}
	}
	return nil
}

// partsUnchanged is parts for one whose DataVersion is known: Java believes
// that it says nothing new of the topics that the group has.
func (g generator) partsUnchanged(r Register) []*Accepted {
	group := &g.groups[r.Broker]
	for _, topic := range r.Topics {
		topic = effective(topic, r.Form)
		row, there := group.rows[topic.Name]
		if there && topic.Epoch == 0 {
			topic.Epoch = row.Epoch
		}
		switch {
		case there && row != topic, !there && topic.Epoch != 0:
			return []*Accepted{contentNotVersion}
		case there:
		case group.overridden:
			return []*Accepted{overrideOfGroup}
		case g.old:
			return []*Accepted{deletedReturns}
		}
	}
	return nil
}
