package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// A session's item stands in the head's partition while the session is open,
// so that one query reads all. That an id was used is remembered elsewhere:
// closed sessions would make every heartbeat's answer dearer.
const (
	sessionGateway = "g"
	sessionOwner   = "o"
	sessionOpened  = "b"
	sessionLast    = "l"

	claimToken = "w"
)

const (
	// sessionKept is how long after its last beat a session's item goes, were
	// there no sweeper to close it. No broker's own timeout comes near it.
	sessionKept = 24 * time.Hour
	// claimKept is how long an id is refused that was used. Ids are random.
	claimKept = 7 * 24 * time.Hour
)

func sessionOf(it item) (core.Session, error) {
	id, _ := sessionID(keyOf(it).sk)
	if err := checkFormat(it); err != nil {
		return core.Session{}, fmt.Errorf("read session %s: %w", id, err)
	}
	last, err := momentOf(it, sessionLast)
	if err != nil {
		return core.Session{}, fmt.Errorf("read session %s: %w", id, err)
	}
	opened, err := momentOf(it, sessionOpened)
	if err != nil {
		return core.Session{}, fmt.Errorf("read session %s: %w", id, err)
	}
	return core.Session{ID: id, Gateway: textOf(it[sessionGateway]), Owner: textOf(it[sessionOwner]), Opened: opened, Last: last}, nil
}

// Sessions returns the open sessions as they are now.
func (s *Store) Sessions(ctx context.Context) (core.Sessions, error) {
	items, err := s.queryPrefix(ctx, headPartition, sessionPrefix, true)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return sessionsOf(items)
}

// sessionsOf returns the sessions of items in the order of their keys.
func sessionsOf(items []item) (core.Sessions, error) {
	sessions := make(core.Sessions, len(items))
	for i, it := range items {
		var err error
		if sessions[i], err = sessionOf(it); err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

// OpenSession stores a new session. ErrSessionClosed if the id was ever used,
// or if its first attempt stopped half way: open one with another id then.
func (s *Store) OpenSession(ctx context.Context, session core.Session) error {
	if err := checkName("session", session.ID); err != nil {
		return err
	}
	token := random()
	claim := update{
		key: claimKey(session.ID),
		set: item{
			formatAttr: number(format), claimToken: unsigned(token),
			expiresAttr: number(session.Last.Add(claimKept).Unix()),
		},
		condition: "attribute_not_exists(w)",
	}
	if _, err := s.update(ctx, claim); err != nil {
		there, ok := refused(err)
		if !ok {
			return fmt.Errorf("claim session %s: %w", session.ID, err)
		}
		if v, bad := uintOf(there, claimToken); bad != nil || v != token {
			return fmt.Errorf("open session %s: %w", session.ID, core.ErrSessionClosed)
		}
	}
	_, err := s.update(ctx, update{key: sessionKey(session.ID), set: item{
		formatAttr: number(format), sessionGateway: text(session.Gateway), sessionOwner: text(session.Owner),
		sessionOpened: moment(session.Opened), sessionLast: moment(session.Last), expiresAttr: number(session.Last.Add(sessionKept).Unix()),
	}})
	if err != nil {
		return fmt.Errorf("open session %s: %w", session.ID, err)
	}
	s.seen.forget()
	return nil
}

// BeatSession moves the session's Last forward, in one conditional write.
func (s *Store) BeatSession(ctx context.Context, id, owner string, now time.Time) error {
	if checkName("session", id) != nil {
		return fmt.Errorf("beat session %s: %w", id, core.ErrSessionClosed)
	}
	_, err := s.update(ctx, update{
		key:       sessionKey(id),
		set:       item{sessionLast: moment(now), expiresAttr: number(now.Add(sessionKept).Unix())},
		condition: "o = :owner AND l < :l AND l >= :alive",
		values:    item{":owner": text(owner), ":alive": moment(now.Add(-core.SessionTimeout))},
	})
	there, ok := refused(err)
	switch {
	case !ok && err != nil:
		return fmt.Errorf("beat session %s: %w", id, err)
	case !ok:
		s.seen.beaten(id, now, s.headAge)
		return nil
	case len(there) == 0:
		return fmt.Errorf("beat session %s: %w", id, core.ErrSessionClosed)
	}
	session, err := sessionOf(there)
	switch {
	case err != nil:
		return err
	case !session.Alive(now.Truncate(time.Millisecond)):
		return fmt.Errorf("beat session %s: %w", id, core.ErrSessionClosed)
	case session.Owner != owner:
		return fmt.Errorf("beat session %s: %w", id, core.ErrForbidden)
	}
	s.seen.beaten(id, now, s.headAge) // overtaken by a later beat, or its own answer was lost
	return nil
}

// CloseSession closes the session if its last beat is still that one.
func (s *Store) CloseSession(ctx context.Context, id string, last time.Time) error {
	if checkName("session", id) != nil {
		return nil
	}
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: sessionKey(id).attributes(),
		ConditionExpression:                 aws.String("attribute_not_exists(l) OR l = :l"),
		ExpressionAttributeValues:           item{":l": moment(last)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureNone,
	})
	if _, ok := refused(err); ok {
		return fmt.Errorf("close session %s: %w", id, core.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("close session %s: %w", id, err)
	}
	s.seen.forget()
	return nil
}
