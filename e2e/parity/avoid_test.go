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
	names := make([]string, len(by))
	for i, a := range by {
		names[i] = a.Name
	}
	t.Skip("avoided: " + strings.Join(names, ", "))
}

// skipAvoided skips registrations of which it is accepted that they differ.
func (g generator) skipAvoided(t *rapid.T, r Register) {
	group := &g.groups[r.Broker]
	was, present := group.idOf(r.Addr)
	holder, taken := group.replicas[r.ID]
	switches := present && was != r.ID
	if len(r.Topics) == 1 && (!taken || switches && holder == r.Addr) && (g.old || switches) {
		avoid(t, oneTopicOfUnknown, refusedSwitch)
	}
	if group.acting && switches && was == core.MasterID && (taken || !g.contributes(r)) {
		avoid(t, masterless)
	}
	if !g.contributes(r) {
		return
	}
	missing := func(name int) bool {
		return !slices.ContainsFunc(r.Topics, func(t Topic) bool { return t.Name == name })
	}
	inPlace := present && was == r.ID
	if changed := !inPlace || r.Version != group.live[r.Addr].Version; changed {
		if g.mustCover(r) {
			for name := range group.rows {
				if missing(name) {
					avoid(t, overrideOfGroup, masterless)
				}
			}
		}
		return
	}
	for _, topic := range r.Topics {
		topic = effective(topic, r.Form)
		row, there := group.rows[topic.Name]
		switch {
		case there && topic.Epoch == 0:
			topic.Epoch = row.Epoch
			fallthrough
		case there:
			if row != topic {
				avoid(t, contentNotVersion)
			}
		case group.overridden:
			avoid(t, overrideOfGroup)
		case topic.Epoch != 0:
			avoid(t, contentNotVersion)
		case g.old:
			avoid(t, deletedReturns)
		}
	}
}
