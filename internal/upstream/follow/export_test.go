package follow

import (
	"bytes"
	"log/slog"
	"os"
	"syscall"

	"signpost/core"
)

// FileForTest is the file of a Follower without one.
type FileForTest struct{ f *file }

func OpenFileForTest(path string) (FileForTest, error) {
	f, _, err := openFile(path, slog.New(slog.DiscardHandler))
	return FileForTest{f}, err
}

func (t FileForTest) Keep(r *core.Route)    { t.f.keep(r.Topic, "0", r) }
func (t FileForTest) Write(r core.Revision) { t.f.write(marks{r, 1}) }

// ReadOnlyForTest makes all disks such that nobody can write them, until the
// function that it returns is called.
func ReadOnlyForTest() (end func()) {
	systemOpen = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
		}
		return os.OpenFile(name, flag, mode)
	}
	return func() { systemOpen = os.OpenFile }
}

// RouteRecordForTest reads a route's record, and says whether another one of
// what it has says the same.
func RouteRecordForTest(topic, record []byte) (read, same bool) {
	etag, r, err := readRoute(topic, record)
	if err != nil {
		return false, false
	}
	again := routeRecord(r.Topic, etag, r)
	etag2, r2, err := readRoute(topic, again)
	return true, err == nil && etag == etag2 && bytes.Equal(again, routeRecord(r2.Topic, etag2, r2))
}

// OrderRecordForTest is the same for order configuration.
func OrderRecordForTest(record []byte) (read, same bool) {
	table, err := readOrder(record)
	if err != nil {
		return false, false
	}
	again := orderRecord(table)
	table2, err := readOrder(again)
	return true, err == nil && bytes.Equal(again, orderRecord(table2)) && (table == nil) == (table2 == nil)
}

// MarksRecordForTest is the same for marks.
func MarksRecordForTest(record []byte) (read, same bool) {
	m, err := readMarks(record)
	if err != nil {
		return false, false
	}
	again, err := readMarks(marksRecord(m))
	return true, err == nil && again == m
}

// AnswerRecordForTest is the same for an answer.
func AnswerRecordForTest(question, record []byte) (read, same bool) {
	body, given, err := readAnswer(question, record)
	if err != nil {
		return false, false
	}
	body2, given2, err := readAnswer(question, answerRecord(string(question), body, given))
	return true, err == nil && bytes.Equal(body, body2) && given == given2
}

// SealForTest makes a record of that content.
func SealForTest(key string, content []byte) []byte {
	return seal(key, func(b []byte) []byte { return append(b, content...) })
}

// MarkForTest marks what a change touches.
func (f *Follower) MarkForTest(c core.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark(touch([]core.Change{c}))
}
