package held

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// tell takes in the cloud's word on a group, at that revision. The caller holds
// mu.
func (b *Brokers) tell(g *group, said api.Group, rev core.Revision) {
	if said.Name == "" {
		return
	}
	g.told, g.until, g.asOf = said.Group, b.o.Now().Add(max(said.ValidFor, renewTime)), rev
	b.newest.Store(max(b.newest.Load(), uint64(rev)))
	b.overlays = nil
}

// outlook works out how new the words are of which the newest is: after the
// cloud began another history they are of lower revisions.
func (b *Brokers) outlook() {
	b.mu.Lock()
	defer b.mu.Unlock()
	newest := core.Revision(0)
	for _, g := range b.groups {
		newest = max(newest, g.asOf)
	}
	b.newest.Store(uint64(newest))
}

// pends says whether the broker is to be seen here as it said, though the cloud
// has not accepted that yet: it was there before, or was told that it is, or the
// cloud cannot be asked.
func (b *Brokers) pends(r *replica) bool {
	return r.held && !r.gone && (r.shown || b.trouble.down) && (r.unsaid() != nil || r.session != b.session)
}

// drops says whether the broker is not to be seen here, though the cloud was not
// told that it left. That its connection closed is for the cloud to judge, which
// knows who else holds it; while it cannot be asked, what is seen here counts, as
// with Java's NameServers: a broker that lives is back within its period.
func (b *Brokers) drops(r *replica) bool {
	return !r.held && r.drop != nil && (b.trouble.down || !r.drop.all.IsZero())
}

// refresh works out how the group looks from here, and tells its brokers if the
// lowest id is another one. The caller holds mu.
func (b *Brokers) refresh(g *group) {
	before, had := g.merged, g.some
	var visible bool
	g.merged, visible = b.merge(g, g.told)
	if visible || g.visible {
		b.overlays = nil
	}
	if visible != g.visible {
		g.visible = visible
		b.visible.Add(map[bool]int64{true: 1, false: -1}[visible])
	}
	// What it was before anything was known of it is not to be compared with.
	g.some = !g.until.IsZero() || visible
	if had && g.some {
		b.notify(g, before)
	}
}

func (b *Brokers) refreshAll() {
	for _, g := range b.groups {
		b.refresh(g)
	}
}

// merge applies to what the cloud says of a group what is pending here, and says
// whether anything is.
func (b *Brokers) merge(g *group, m core.Group) (_ core.Group, pending bool) {
	m.Name = g.name
	for _, r := range g.replicas {
		add := b.pends(r)
		if !add && !b.drops(r) {
			continue
		}
		if !pending {
			m, pending = m.Clone(), true
		}
		m.Replicas = slices.DeleteFunc(m.Replicas, func(x core.Replica) bool {
			return x.Addr == r.reg.Addr || add && x.ID == r.reg.ID
		})
		if add {
			m.Cluster = r.reg.Cluster
			m.Replicas = append(m.Replicas, r.replica())
		}
	}
	if pending {
		slices.SortFunc(m.Replicas, func(x, y core.Replica) int { return cmp.Compare(x.ID, y.ID) })
	}
	return m, pending
}

// replica is the broker as it described itself.
func (r *replica) replica() core.Replica {
	return core.Replica{
		ID: r.reg.ID, Addr: r.reg.Addr, HAAddr: r.reg.HAAddr, Zone: r.reg.Zone, Timeout: r.timeout(),
		ActingMaster: r.reg.ActingMaster, DataVersion: r.version, FilterServers: r.filters,
		Registered: r.said, Said: r.heard,
	}
}

// notify tells the brokers of the group that are connected here of its new
// lowest id: of who came with a lower one, all but him; of who went, all, if
// slaves act as master (Java: RouteInfoManager.notifyMinBrokerIdChanged).
func (b *Brokers) notify(g *group, before core.Group) {
	was, had := before.First()
	is, has := g.merged.First()
	if b.o.OnMinBroker == nil || !had || !has || was.ID == is.ID {
		return
	}
	c := core.MinBrokerChange{Broker: g.name, MinID: is.ID, MinAddr: is.Addr}
	switch {
	case is.ID < was.ID:
		c.HAAddr = is.HAAddr
	case !g.merged.EnableActingMaster() || contains(g.merged, was.Addr): // it has another id now
		return
	default:
		c.OfflineAddr = was.Addr
	}
	for _, r := range g.replicas { // sorted
		if r.held && contains(g.merged, r.reg.Addr) && (c.OfflineAddr != "" || r.reg.Addr != is.Addr) {
			c.Tell = append(c.Tell, r.reg.Addr)
		}
	}
	if len(c.Tell) > 0 {
		b.o.OnMinBroker(c)
	}
}

// Group returns a group that a broker here belongs to: by the cloud's last word,
// with what is pending here. False if the cloud has to be asked; Shown is what to
// make of its answer.
func (b *Brokers) Group(now time.Time, name string) (core.Group, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.groups[name]; g != nil && b.current(g, now) {
		return g.merged, true
	}
	return core.Group{}, false
}

// current says whether the cloud's last word on the group is good enough: while
// somebody here belongs to it, for else its changes are not followed, or while
// there is nothing better. The caller holds mu.
func (b *Brokers) current(g *group, now time.Time) bool {
	followed := !now.After(g.until.Add(staleTime)) && slices.ContainsFunc(g.replicas, func(r *replica) bool { return r.held })
	return !g.until.IsZero() && (followed || b.trouble.down || g.visible)
}

// Shown is how a group looks from here of which the cloud was heard to say that,
// perhaps long ago: with what is pending here.
func (b *Brokers) Shown(now time.Time, name string, said core.Group) core.Group {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[name]
	switch {
	case g == nil:
		return said
	case b.current(g, now):
		return g.merged
	}
	said, _ = b.merge(g, said)
	return said
}

const (
	// renewTime is from one look for what has to be told again to the next, so
	// that one call asks for much.
	renewTime = 5 * time.Second
	// staleTime is for how long a group is shown as it was told after that is
	// over: acting masters ask for theirs each second, and not each is to ask the
	// cloud.
	staleTime = 2 * renewTime
)

// renew has the groups confirmed of which it is over what was told: a lease in
// them may have run out, which nobody tells. The caller does not hold mu.
func (b *Brokers) renew(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble.down || now.Sub(b.renewed) < renewTime {
		return
	}
	b.renewed = now
	for _, g := range b.groups {
		if !g.until.IsZero() && now.After(g.until) && !g.busy && !slices.ContainsFunc(g.replicas, func(r *replica) bool { return r.check }) {
			b.check(g)
		}
	}
}

// maxOverlays bounds the routes that are kept as they look from here.
const maxOverlays = 4096

// overlaid is a route as it looks from here, and what it was made of. It is
// kept since its encodings hang on it, until anything pending changes.
type overlaid struct {
	cloud, local, seen *core.Route
	right              core.Revision
}

// Overlay returns the cloud's route, nil if it has none, in which all is that
// changed up to the revision right, with what is pending here: brokers that the
// cloud has not accepted yet, and brokers that have left. Groups of which it has
// spoken since are as it said. It is nil if nothing is left of it. Nothing of
// topic's memory is kept.
func (b *Brokers) Overlay(now time.Time, topic string, cloud *core.Route, right core.Revision) *core.Route {
	if b.visible.Load() == 0 && uint64(right) >= b.newest.Load() {
		return cloud
	}
	local, err := b.o.Local.Route(context.Background(), now, topic) // in memory: it does not wait
	if err != nil {
		if !errors.Is(err, core.ErrNoTopic) {
			b.o.Log.Error("local route", "topic", topic, "error", err)
		}
		local = nil
	}
	rules := b.o.Local.Rules()
	b.mu.Lock()
	defer b.mu.Unlock()
	if o, ok := b.overlays[topic]; ok && o.cloud == cloud && o.local == local && o.right == right {
		return o.seen
	}
	seen := b.overlay(topic, cloud, right, local, rules)
	if b.overlays == nil || len(b.overlays) >= maxOverlays {
		b.overlays = map[string]overlaid{}
	}
	b.overlays[strings.Clone(topic)] = overlaid{cloud, local, seen, right}
	return seen
}
