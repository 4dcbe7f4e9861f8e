package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// Renew extends a direct lease: one conditional update for a heartbeat that
// moves both its lease and its replica forward, which nearly all do.
func (s *Store) Renew(ctx context.Context, now time.Time, r core.Renewal) (core.Group, error) {
	if checkName("brokerName", r.Broker) != nil {
		return core.Group{}, core.ErrChanged
	}
	in := s.renewal(now, r)
	for range maxAttempts {
		out, err := s.db.UpdateItem(ctx, in)
		if err == nil {
			return groupOf(out.Attributes)
		}
		there, ok := refused(err)
		if !ok {
			return core.Group{}, fmt.Errorf("renew %s: %w", r.Broker, err)
		}
		if len(there) == 0 {
			return core.Group{}, core.ErrChanged
		}
		g, err := groupOf(there)
		if err != nil {
			return core.Group{}, err
		}
		i, l := renewable(g, now, r)
		if i < 0 {
			return core.Group{}, core.ErrChanged
		}
		lease, replica := later(r.Said, g.Replicas[i].Leases[l].Said), later(r.Said, g.Replicas[i].Said)
		if !lease && !replica {
			return g, nil // overtaken by a later heartbeat, or its own answer was lost
		}
		in = s.partRenewal(g, r, lease, replica)
	}
	return core.Group{}, fmt.Errorf("renew %s: %w", r.Broker, core.ErrConflict)
}

// renewal is the usual update: everything that r names is compared, and both
// moments move.
func (s *Store) renewal(now time.Time, r core.Renewal) *dynamodb.UpdateItemInput {
	condition := "c = :c AND r.#i.a = :a AND r.#i.l.#f.u >= :now AND r.#i.l.#f.s < :said AND r.#i.s < :said"
	values := item{
		":c": text(r.Cluster), ":a": text(r.Addr), ":now": moment(now), ":said": moment(r.Said), ":v": unsigned(random()),
	}
	if r.Digest != 0 {
		condition += " AND r.#i.g = :g"
		values[":g"] = blob(digest(r.Digest))
	}
	if r.DataVersion != nil {
		condition += " AND r.#i.d = :d"
		values[":d"] = blob(dataVersion(*r.DataVersion))
	}
	return s.renewUpdate(r, "SET v = :v, r.#i.s = :said, "+setLease, condition, values)
}

const setLease = "r.#i.l.#f.s = :said, r.#i.l.#f.u = r.#i.t + :said"

// partRenewal moves those of the two moments that are behind, if the group is
// still as it was read.
func (s *Store) partRenewal(g core.Group, r core.Renewal, lease, replica bool) *dynamodb.UpdateItemInput {
	set := "SET v = :v"
	if lease {
		set += ", " + setLease
	}
	if replica {
		set += ", r.#i.s = :said"
	}
	return s.renewUpdate(r, set, "v = :was", item{":was": unsigned(g.Version), ":v": unsigned(random()), ":said": moment(r.Said)})
}

func (s *Store) renewUpdate(r core.Renewal, set, condition string, values item) *dynamodb.UpdateItemInput {
	names := map[string]string{"#i": strconv.FormatInt(r.ID, 10)}
	if strings.Contains(set, "#f") {
		names["#f"] = frontPrefix + r.Front
	}
	return &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: groupKey(r.Broker).attributes(),
		UpdateExpression: aws.String(set), ConditionExpression: aws.String(condition),
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// renewable returns the index of the replica, and of that of its leases, which
// r may extend at now, or -1.
func renewable(g core.Group, now time.Time, r core.Renewal) (replica, lease int) {
	if g.Cluster != r.Cluster {
		return -1, -1
	}
	for i, b := range g.Replicas {
		if b.ID != r.ID {
			continue
		}
		l := slices.IndexFunc(b.Leases, func(l core.Lease) bool { return l.Session == "" && l.Front == r.Front })
		if b.Addr != r.Addr || r.Digest != 0 && b.Digest != r.Digest || r.DataVersion != nil && b.DataVersion != *r.DataVersion ||
			l < 0 || now.UnixMilli() > b.Leases[l].Said.Add(b.Timeout).UnixMilli() {
			return -1, -1
		}
		return i, l
	}
	return -1, -1
}

// later says whether a is later than b, as far as is stored.
func later(a, b time.Time) bool { return a.UnixMilli() > b.UnixMilli() }
