package follow

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"signpost/internal/mapped"
)

// What is asked for seldom, lists and namespaces, is not followed. What the cloud
// answered last is in the file, for who asks in an outage: nothing of it is read
// before.

var answersBucket = []byte("answers")

// Bounds of the answers in the file: how many, and bytes of all and of one. Those
// that were given the longest ago go first.
const (
	maxAnswers     = 128
	maxAnswerBytes = 16 << 20
	maxAnswer      = 4 << 20
)

// KeepAnswer keeps in the file what the cloud answered to a question, as a body,
// and when.
func (f *Follower) KeepAnswer(question string, body []byte, given time.Time) {
	if f.file == nil || len(body) > maxAnswer {
		return
	}
	f.file.keepAnswer(question, answerRecord(question, body, given.UnixMilli()))
}

// KeptAnswer returns what is in the file of that. It reads it.
func (f *Follower) KeptAnswer(question string) (body []byte, given time.Time, ok bool) {
	if f.file == nil {
		return nil, time.Time{}, false
	}
	body, at, err := f.file.answer(question)
	if err != nil {
		f.o.Log.Warn("a last-known answer cannot be read", "file", f.o.File, "question", question, "error", err)
		f.file.keepAnswer(question, nil)
	}
	if err != nil || body == nil {
		return nil, time.Time{}, false
	}
	now := f.o.Now()
	return body, now.Add(-max(0, time.Duration(now.UnixMilli()-at)*time.Millisecond)), true
}

// keepAnswer has a question's record written or, if it is nil, removed.
func (f *file) keepAnswer(question string, record []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty.answers[question] = record
}

// answer returns a copy of the body to a question, nil if there is none.
func (f *file) answer(question string) (body []byte, given int64, err error) {
	defer mapped.Guard(&err, errFile)()
	f.mu.Lock()
	db := f.db
	f.mu.Unlock()
	if db == nil {
		return nil, 0, nil
	}
	err = db.View(func(tx *bbolt.Tx) (err error) {
		answers := tx.Bucket(answersBucket)
		if answers == nil {
			return nil
		}
		record := answers.Get([]byte(question))
		if record == nil {
			return nil
		}
		body, given, err = readAnswer([]byte(question), record)
		body = slices.Clone(body)
		return err
	})
	return body, given, err
}

// putAnswers writes answers, and makes room for them.
func putAnswers(tx *bbolt.Tx, records map[string][]byte) error {
	if len(records) == 0 {
		return nil
	}
	answers, err := tx.CreateBucketIfNotExists(answersBucket)
	if err != nil {
		return err
	}
	for _, question := range slices.Sorted(maps.Keys(records)) {
		if record := records[question]; record == nil {
			err = answers.Delete([]byte(question))
		} else {
			err = answers.Put([]byte(question), record)
		}
		if err != nil {
			return fmt.Errorf("question %q: %w", question, err)
		}
	}
	type one struct {
		question []byte
		given    int64
		size     int
	}
	var all []one
	size := 0
	err = answers.ForEach(func(question, record []byte) error {
		o := one{question: slices.Clone(question), size: len(record)}
		if len(record) > 1 {
			o.given, _ = binary.Varint(record[1:]) // its checksum is for who reads it
		}
		all = append(all, o)
		size += o.size
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.given, b.given) })
	for ; len(all) > maxAnswers || size > maxAnswerBytes; all = all[1:] {
		size -= all[0].size
		if err := answers.Delete(all[0].question); err != nil {
			return err
		}
	}
	return nil
}

// An answer's record has when it was given, in milliseconds since 1970, and its
// body.

func answerRecord(question string, body []byte, given int64) []byte {
	return seal(question, func(b []byte) []byte { return append(binary.AppendVarint(b, given), body...) })
}

func readAnswer(question, record []byte) (body []byte, given int64, err error) {
	content, err := unseal(question, record)
	if err != nil {
		return nil, 0, err
	}
	given, n := binary.Varint(content)
	if n <= 0 {
		return nil, 0, fmt.Errorf("%w: it has no time", errRecord)
	}
	return content[n:], given, nil
}
