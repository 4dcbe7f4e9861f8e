package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"signpost/core"
)

// Group returns the group, or one with only its Name if there is none.
func (s *Store) Group(ctx context.Context, name string) (core.Group, error) {
	none := core.Group{Name: name}
	if checkName("brokerName", name) != nil {
		return none, nil // no such group was ever stored
	}
	it, err := s.get(ctx, groupKey(name))
	if err != nil {
		return none, fmt.Errorf("get group %s: %w", name, err)
	}
	if it == nil {
		return none, nil
	}
	return groupOf(it)
}

// Groups returns those of the named groups that exist, each once and sorted by
// name; nil names asks for all.
func (s *Store) Groups(ctx context.Context, names []string) ([]core.Group, error) {
	items, err := s.groupItems(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("get groups: %w", err)
	}
	groups := make([]core.Group, len(items))
	for i, it := range items {
		if groups[i], err = groupOf(it); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(groups, func(a, b core.Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups, nil
}

func (s *Store) groupItems(ctx context.Context, names []string) ([]item, error) {
	if names != nil {
		keys := make([]key, 0, len(names))
		for _, name := range names {
			if checkName("brokerName", name) == nil {
				keys = append(keys, groupKey(name))
			}
		}
		return s.batchGet(ctx, keys, true)
	}
	var shards [groupShards][]item
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for n := range shards {
		g.Go(func() (err error) {
			shards[n], err = s.query(ctx, groupPartition(n))
			return err
		})
	}
	err := g.Wait()
	return slices.Concat(shards[:]...), err
}

// PutGroup stores g if the stored Version is still g.Version.
func (s *Store) PutGroup(ctx context.Context, g core.Group) (core.Group, error) {
	if err := checkName("brokerName", g.Name); err != nil {
		return core.Group{}, err
	}
	it, err := groupItem(g)
	if err != nil {
		return core.Group{}, err
	}
	version := random()
	u := update{key: groupKey(g.Name), set: it}
	it[versionAttr] = unsigned(version)
	if !g.Gone.IsZero() {
		it[expiresAttr] = number(g.Gone.Add(groupKept).Unix())
	} else {
		u.remove = expiresAttr
	}
	u.ifVersion(g.Version)
	if err := s.overwrite(ctx, u, version); err != nil {
		return core.Group{}, fmt.Errorf("put group %s: %w", g.Name, err)
	}
	stored := maps.Clone(it)
	maps.Copy(stored, u.key.attributes())
	return groupOf(stored) // what a reader gets, times to the millisecond
}

// RemoveGroup removes the group if its Version is still that one.
func (s *Store) RemoveGroup(ctx context.Context, name string, version uint64) error {
	if checkName("brokerName", name) != nil {
		return nil
	}
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: groupKey(name).attributes(),
		ConditionExpression:       aws.String("attribute_not_exists(v) OR v = :v"),
		ExpressionAttributeValues: item{":v": unsigned(version)},
	})
	if _, ok := refused(err); ok {
		return fmt.Errorf("remove group %s: %w", name, core.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("remove group %s: %w", name, err)
	}
	return nil
}

// update is a change of some attributes of one item; the others stay.
type update struct {
	key       key
	set       item
	remove    string // an attribute
	condition string
	values    item // that the condition names
	answer    types.ReturnValue
}

// ifVersion makes the update hold only over that version; 0 is "not stored".
func (u *update) ifVersion(version uint64) {
	if version == 0 {
		u.condition = "attribute_not_exists(" + versionAttr + ")"
		return
	}
	u.condition, u.values = versionAttr+" = :was", item{":was": unsigned(version)}
}

// overwrite makes a change that holds only over one version and sets another.
// ErrConflict if the item has a version that is neither.
func (s *Store) overwrite(ctx context.Context, u update, version uint64) error {
	_, err := s.update(ctx, u)
	if there, ok := refused(err); ok {
		if v, bad := uintOf(there, versionAttr); bad == nil && v == version {
			return nil // an attempt before did it, and its answer was lost
		}
		return core.ErrConflict
	}
	return err
}

// update makes the change. If the condition does not hold, the error has the
// item as it is.
func (s *Store) update(ctx context.Context, u update) (item, error) {
	in := &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: u.key.attributes(), ExpressionAttributeValues: item{}, ReturnValues: u.answer,
	}
	expression := "SET "
	for i, name := range slices.Sorted(maps.Keys(u.set)) {
		if i > 0 {
			expression += ", "
		}
		expression += name + " = :" + name
		in.ExpressionAttributeValues[":"+name] = u.set[name]
	}
	if u.remove != "" {
		expression += " REMOVE " + u.remove
	}
	in.UpdateExpression = &expression
	if u.condition != "" {
		in.ConditionExpression = &u.condition
		in.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
		maps.Copy(in.ExpressionAttributeValues, u.values)
	}
	out, err := s.db.UpdateItem(ctx, in)
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}
