package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Units are request units as a bill has them.
type Units struct{ Write, Read float64 }

// maxCall bounds what is read of a call or an answer, in bytes: DynamoDB takes
// and gives no more than 16 MB.
const maxCall = 16 << 20

// writes are the operations that take write units.
var writes = map[string]bool{"PutItem": true, "UpdateItem": true, "DeleteItem": true, "BatchWriteItem": true}

// Units are those consumed so far, if Options.Metered.
func (p *Proxy) Units() Units {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.units
}

// askCapacity has the answer to a call tell what it consumed.
func askCapacity(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCall))
	if err != nil {
		return fmt.Errorf("read a call: %w", err)
	}
	if rest, ok := bytes.CutPrefix(body, []byte("{")); ok && len(rest) > 1 {
		body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), rest...)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// meter adds what an answer says that its call consumed. A write whose
// condition failed says nothing, and costs as much as one of a small item.
func (p *Proxy) meter(operation string, r *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCall))
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var said struct {
		Type             string `json:"__type"`
		ConsumedCapacity json.RawMessage
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("an answer to %s: %w", operation, err)
	}
	type capacity struct{ CapacityUnits float64 }
	var all []capacity
	var one capacity
	switch {
	case bytes.Contains([]byte(said.Type), []byte("ConditionalCheckFailed")):
		all = []capacity{{1}}
	case len(said.ConsumedCapacity) == 0:
	case said.ConsumedCapacity[0] == '[':
		err = json.Unmarshal(said.ConsumedCapacity, &all)
	default:
		err = json.Unmarshal(said.ConsumedCapacity, &one)
		all = []capacity{one}
	}
	if err != nil {
		return fmt.Errorf("what %s consumed: %w", operation, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range all {
		if writes[operation] {
			p.units.Write += c.CapacityUnits
		} else {
			p.units.Read += c.CapacityUnits
		}
	}
	return nil
}
