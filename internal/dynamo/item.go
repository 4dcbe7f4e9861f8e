package dynamo

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// item is one item of the table.
type item = map[string]types.AttributeValue

const (
	// formatAttr has the format number of every item; see the package comment.
	formatAttr = "f"
	// expiresAttr is the table's TTL attribute, in seconds since 1970.
	expiresAttr = "e"
	// versionAttr is a random number that each write of a group or manifest
	// sets anew. It tells one's own write, whose answer was lost, from
	// another's.
	versionAttr = "v"

	// format is the one that this release writes, and the last it reads.
	format = 1

	// maxItem bounds what is written, in bytes. DynamoDB refuses items of
	// 400 KB; names and numbers beside the values take less than the rest.
	maxItem = 380 << 10
)

var errFormat = errors.New("stored in a format of a later release")

// checkFormat refuses items that only a later release can read. Format 0 was
// never written.
func checkFormat(it item) error {
	n, err := intOf(it, formatAttr)
	if err != nil {
		return err
	}
	if n > format {
		return fmt.Errorf("format %d: %w", n, errFormat)
	}
	return nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func blob(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func unsigned(n uint64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatUint(n, 10)}
}

func moment(t time.Time) types.AttributeValue { return number(t.UnixMilli()) }

// textOf returns a string attribute; "" if it is none.
func textOf(v types.AttributeValue) string {
	s, ok := v.(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

func bytesOf(v types.AttributeValue) []byte {
	b, ok := v.(*types.AttributeValueMemberB)
	if !ok {
		return nil
	}
	return b.Value
}

func intOf(it item, name string) (int64, error) {
	n, ok := it[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("attribute %s is not a number", name)
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("attribute %s: %w", name, err)
	}
	return v, nil
}

func uintOf(it item, name string) (uint64, error) {
	n, ok := it[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("attribute %s is not a number", name)
	}
	v, err := strconv.ParseUint(n.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("attribute %s: %w", name, err)
	}
	return v, nil
}

func momentOf(it item, name string) (time.Time, error) {
	ms, err := intOf(it, name)
	return fromMillis(ms), err
}

// zeroMillis is what the zero time is stored as.
var zeroMillis = time.Time{}.UnixMilli()

// fromMillis returns the time of a stored number. Times are kept to the
// millisecond, which is what the wire and Java's clock have.
func fromMillis(ms int64) time.Time {
	if ms == zeroMillis {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// checkSize refuses a value that no item could hold.
func checkSize(field string, size int) error {
	if size > maxItem {
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("needs %d bytes, more than the %d that can be stored", size, maxItem)}
	}
	return nil
}
