//go:build e2e

package parity

import (
	"slices"

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

// skipAvoided skips registrations of which it is accepted that they differ.
// Each reason is the name of an accepted difference.
func (g generator) skipAvoided(t *rapid.T, r Register) {
	group := &g.groups[r.Broker]
	was, present := group.idOf(r.Addr)
	holder, taken := group.replicas[r.ID]
	switches := present && was != r.ID
	if len(r.Topics) == 1 && (!taken || switches && holder == r.Addr) && (g.old || switches) {
		t.Skip("oneTopicOfUnknown, refusedSwitch")
	}
	if group.acting && switches && was == core.MasterID && (taken || !g.contributes(r)) {
		t.Skip("masterless")
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
					t.Skip("overrideOfGroup, masterless")
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
				t.Skip("contentNotVersion")
			}
		case group.overridden:
			t.Skip("overrideOfGroup")
		case topic.Epoch != 0:
			t.Skip("contentNotVersion")
		case g.old:
			t.Skip("deletedReturns")
		}
	}
}
