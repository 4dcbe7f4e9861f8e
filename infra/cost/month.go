package cost

import "math"

// Usage is how much of each Item is used in a month, in what is counted (calls,
// units, bytes), not in a Price's units.
type Usage [items]float64

// Part is what one cause of a month uses.
type Part struct {
	Cause string
	Usage Usage
}

// Month is what one fleet uses in a month.
type Month struct {
	Brokers float64 // as many clients
	Parts   []Part
}

// Usage is that of all parts.
func (m Month) Usage() (sum Usage) {
	for _, p := range m.Parts {
		for i, n := range p.Usage {
			sum[i] += n
		}
	}
	return sum
}

// Dollars is what an amount of an item costs, with the account's free tiers or
// without them.
func (i Item) Dollars(amount float64, freeTiers bool) float64 {
	p := Prices[i]
	units := amount / p.Size
	if freeTiers {
		units = max(0, units-p.Free)
	}
	return units * p.Per
}

// Dollars is what all of it costs.
func (u Usage) Dollars(freeTiers bool) (sum float64) {
	for i, n := range u {
		sum += Item(i).Dollars(n, freeTiers)
	}
	return sum
}

// add counts n times what an operation takes.
func (u *Usage) add(n float64, o Operation) {
	u[Writes] += n * o.Takes.Write
	u[Reads] += n * o.Takes.Read
}

// call counts n API calls of a function that takes so long in so much memory.
func (u *Usage) call(n, megabytes, millis, answer float64) {
	u[APICalls] += n
	u[Requests] += n
	u[Compute] += compute(n, megabytes, millis)
	u[DataOut] += n * answer
}

func compute(n, megabytes, millis float64) float64 { return n * megabytes / 1024 * millis / 1000 }

// Sizes of items with the 100 bytes that DynamoDB counts for each, and of what
// the sweeper's operations were measured with.
const (
	groupItem = 700 + 100
	rowItem   = 120 + 100
	setItem   = 500 + 100 // a broker's manifest and one chunk

	revisionItem = 1024
	sessionItem  = 200

	sweptGroups  = 1000
	routedGroups = 16
)

// Idle is a stack without brokers and calls.
func (a Assumptions) Idle() Month {
	return Month{Parts: []Part{a.standing(false), a.sweeps(0, 0, false)}}
}

// BehindShims is a fleet whose brokers and clients all know the shims, which
// speak for them.
func (a Assumptions) BehindShims(brokers float64) Month {
	often, churn := a.changes(brokers)
	beats := seconds / a.BeatSeconds
	// What changed between two beats is read again in one call each for the
	// topics in use and for the shim's own brokers.
	busy := a.Shims * beats * (1 - math.Exp(-often/beats))

	var beat, reconcile, restart Usage
	beat.call(a.Shims*beats, a.RegisterMB, a.RegisterMillis, a.AnswerBytes)
	beat.add(a.Shims*beats, SessionBeat)
	beat[Reads] *= a.headSteps()

	churn.call(busy, a.RouteMB, a.RouteMillis, a.AnswerBytes)
	churn.call(busy, a.RegisterMB, a.RegisterMillis, a.AnswerBytes)
	churn.add(a.Shims*often, NewSession)
	churn.add(a.Shims*often, GroupTold)
	rereads := a.Shims * a.topicsTouched(brokers)
	churn[Reads] += rereads * a.routeRead()
	churn[DataOut] += rereads * a.RouteBytes
	// Each shim hears a broker leave, return and change, and says so.
	said := a.Shims * (2*a.restarts(brokers) + a.topicChanges(brokers))
	churn.call(said, a.RegisterMB, a.RegisterMillis, a.AnswerBytes)
	churn.add(said, GroupTold)
	churn.add((a.Shims-1)*a.restarts(brokers), LeaseDropped)
	churn.add((a.Shims-1)*(a.restarts(brokers)+a.topicChanges(brokers)), NewSession)

	checks := a.Shims * minutes / a.ReconcileMinutes
	reconcile.call(checks, a.RouteMB, a.RouteMillis, a.AnswerBytes+brokers*leaseBytes)
	reconcile[Reads] += checks * Leases.Takes.Read * max(1, brokers/sweptGroups)

	// A shim that starts opens a session, hears each broker in full and says so,
	// and reads the topics in use as they are asked for.
	starts := a.Shims * a.ShimRestarts
	topics := a.topics(brokers)
	restart.add(starts, OpenSession)
	restart.add(starts*brokers, NewSessionPruned)
	restart.add(starts*brokers, GroupTold)
	restart.call(starts*(1+brokers), a.RegisterMB, a.RegisterMillis, a.AnswerBytes)
	restart.call(starts*topics, a.RouteMB, a.RouteMillis, a.AnswerBytes+a.RouteBytes)
	restart[Reads] += starts * topics * a.routeRead()

	return Month{brokers, []Part{
		a.standing(true), a.sweeps(brokers, starts, false), a.stored(brokers),
		{"session beats", beat}, {"changes", churn}, {"reconciling", reconcile}, {"shims starting", restart}, a.lists(brokers),
	}}
}

// OverHTTPS is a fleet whose brokers and clients each call for themselves.
func (a Assumptions) OverHTTPS(brokers float64) Month {
	_, churn := a.changes(brokers)
	churn.call(2*a.restarts(brokers)+a.topicChanges(brokers), a.RegisterMB, a.RegisterMillis, a.AnswerBytes)

	var beats, lookups Usage
	n := brokers * seconds / a.HeartbeatSeconds
	beats.call(n, a.RegisterMB, a.RegisterMillis, a.AnswerBytes)
	beats.add(n, DirectBeat)

	n = brokers * seconds / a.LookupSeconds
	lookups.call(n, a.RouteMB, a.RouteMillis, a.AnswerBytes)
	instances := max(2, math.Ceil(1.5*n/seconds*a.RouteMillis/1000))
	lookups[Reads] += a.followed(instances, brokers) + instances*a.InitsPerDay*days*a.topics(brokers)*a.routeRead()
	// Who uses a topic that changed gets it once.
	users := brokers * a.TopicsPerClient / max(1, a.topics(brokers))
	lookups[DataOut] += a.topicsTouched(brokers) * users * a.RouteBytes

	return Month{brokers, []Part{
		a.standing(true), a.sweeps(brokers, a.SilentShare*a.restarts(brokers), true), a.stored(brokers),
		{"heartbeats", beats}, {"lookups", lookups}, {"changes", churn}, a.lists(brokers),
	}}
}

// OverTheTable is a fleet whose brokers and clients all know some bin/namesrv,
// as many as shims otherwise, which work on the table themselves. There is no
// stack but the table.
func (a Assumptions) OverTheTable(brokers float64) Month {
	var beats, lookups, sweeps Usage
	_, churn := a.changes(brokers)
	churn.add((a.Shims-1)*(a.restarts(brokers)+a.topicChanges(brokers)), NewSession)
	churn[Events], churn[Logs] = 0, 0

	beats.add(a.Shims*brokers*seconds/a.HeartbeatSeconds, UnchangedBody)
	lookups[Reads] = a.followed(a.Shims, brokers)
	// A pass every 5 s reads the revision, and a group when its lease would have
	// ended if no heartbeat had come.
	sweeps[Reads] = a.Shims * (seconds/scanSeconds*SweepWarm.Takes.Read + brokers*seconds/(leaseSeconds-a.HeartbeatSeconds/2))
	return Month{brokers, []Part{a.stored(brokers), {"heartbeats", beats}, {"lookups", lookups}, {"changes", churn}, {"sweeps", sweeps}}}
}

// followed is the read units of instances that know all routes. Each follows
// the revision, and reads a topic again when the first lease in it that it knows
// has passed; of its groups, those that it has not read again for another topic.
func (a Assumptions) followed(instances, brokers float64) float64 {
	renewals := seconds / (leaseSeconds - a.HeartbeatSeconds)
	return instances * (seconds/followSeconds*RouteUnchanged.Takes.Read +
		renewals*(a.topics(brokers)*(RouteRenewed.Takes.Read-routedGroups)+brokers) +
		a.topicsTouched(brokers)*a.routeRead())
}

const (
	batch         = 1000 // beats or routes in one call
	leaseBytes    = 25   // of a gateway's list of leases, gzipped
	followSeconds = 2    // how old a revision may be that an instance knows
	leaseSeconds  = 120

	scanSeconds      = 5  // between two scans of bin/namesrv
	inventoryMinutes = 30 // how long the sweeper goes without reading all groups
	sweepStays       = 65 // seconds, where a deadline is always near
)

func (a Assumptions) restarts(brokers float64) float64 { return brokers * a.RestartsPerBroker }

func (a Assumptions) topicChanges(brokers float64) float64 {
	if brokers == 0 {
		return 0
	}
	return a.TopicChangesPerDay * days
}

// topics is how many there are.
func (a Assumptions) topics(brokers float64) float64 {
	return math.Ceil(brokers * a.TopicsPerBroker / a.GroupsPerTopic)
}

// topicsTouched is how many topics are other than before, counted each time:
// those of a broker that leaves, of one that returns, and one of each change.
func (a Assumptions) topicsTouched(brokers float64) float64 {
	return 2*a.restarts(brokers)*a.TopicsPerBroker + a.topicChanges(brokers)
}

// headSteps is how many times 4 KB the revision and the sessions beside it take:
// a beat's answer reads them all.
func (a Assumptions) headSteps() float64 {
	const readStep = 4096
	return math.Ceil((revisionItem + a.Shims*sessionItem) / readStep)
}

// routeRead is the read units of a topic that an instance knows nothing of.
func (a Assumptions) routeRead() float64 {
	return RouteCold.Takes.Read - routedGroups + a.GroupsPerTopic
}

// changes returns how often something changes, and what the changes themselves
// take, whoever calls: writes, events, logs. A broker that leaves is one change,
// though each shim that drops it raises the revision: they do so together, and
// the next beat tells of all.
func (a Assumptions) changes(brokers float64) (often float64, u Usage) {
	restarts, topics := a.restarts(brokers), a.topicChanges(brokers)
	often = 2*restarts + topics
	u.add(restarts, Leave)
	u.add(restarts, Restart)
	u.add(topics, TopicChanged)
	u[Events] = a.EventsPerRestart*restarts + topics
	u[Logs] = often * a.LogBytes
	return often, u
}

// sweeps is the schedule and the sweeper. A pass reads the revision with the
// sessions, and all groups where its instance is new or has gone half an hour
// without; where all brokers heartbeat for themselves, each time. It stays, half
// a minute on average, for each of so many deadlines.
func (a Assumptions) sweeps(brokers, deadlines float64, direct bool) Part {
	var u Usage
	u[Schedules] = minutes
	u[Requests] = minutes
	stays := deadlines * 30
	if a.ShortTimeouts > 0 && brokers > 0 {
		stays = minutes * sweepStays
	}
	u[Compute] = compute(minutes, a.SweeperMB, a.SweepMillis) + compute(stays, a.SweeperMB, 1000) +
		compute(a.InitsPerDay*days, a.SweeperMB, a.InitMillis)
	u[Reads] = minutes * SweepWarm.Takes.Read * a.headSteps()
	whole := minutes/inventoryMinutes + a.InitsPerDay*days
	if direct {
		whole = minutes
	}
	u[Reads] += whole * max(SweepEmpty.Takes.Read, SweepCold.Takes.Read*brokers/sweptGroups)
	often, _ := a.changes(brokers)
	u[Reads] += often
	return Part{"sweeps", u}
}

// standing is what is paid for being there.
func (a Assumptions) standing(live bool) Part {
	var u Usage
	u[Alarms] = a.Alarms
	u[Dashboards] = max(0, a.Dashboards+a.OtherDashboards-max(dashboardsFree, a.OtherDashboards))
	if live {
		u[Series] = a.Series
		u[Compute] = compute(a.InitsPerDay*days, a.RegisterMB+a.RouteMB, a.InitMillis)
	}
	return Part{"alarms, metrics, dashboard", u}
}

// stored is what the table holds.
func (a Assumptions) stored(brokers float64) Part {
	var u Usage
	u[Storage] = brokers * (groupItem + setItem + a.TopicsPerBroker*rowItem)
	u[Recovery] = u[Storage]
	return Part{"storage", u}
}

// lists is what operators ask for: they read every group and every broker's
// topics.
func (a Assumptions) lists(brokers float64) Part {
	var u Usage
	n := a.ListsPerDay * days
	u.call(n, a.RouteMB, 1000, a.AnswerBytes+a.topics(brokers)*32)
	u[Reads] = n * TopicList.Takes.Read * brokers / sweptGroups
	return Part{"lists", u}
}
