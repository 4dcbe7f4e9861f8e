package follow_test

import (
	"testing"

	"signpost/internal/upstream/follow"
)

// Whatever a record has, it is read or refused; what was read is written so that
// it reads the same.
func FuzzRecords(f *testing.F) {
	f.Add("T", []byte("\x02ab{\"brokerDatas\":[{\"brokerAddrs\":{\"0\":\"a:1\"},\"brokerName\":\"a\",\"cluster\":\"c\",\"enableActingMaster\":false}],\"filterServerTable\":{},\"queueDatas\":[]}"))
	f.Add("order", []byte("\x01\x01T\x03a:8"))
	f.Add("order", []byte("\x00"))
	f.Add("marks", []byte("\x05\x80\x01"))
	f.Fuzz(func(t *testing.T, topic string, content []byte) {
		check := func(what string, read, same bool) {
			if read && !same {
				t.Errorf("%s: what was read is written as something else", what)
			}
		}
		sealed := follow.SealForTest(topic, content)
		read, same := follow.RouteRecordForTest([]byte(topic), sealed)
		check("route", read, same)
		read, same = follow.OrderRecordForTest(follow.SealForTest("order", content))
		check("order", read, same)
		read, same = follow.MarksRecordForTest(follow.SealForTest("marks", content))
		check("marks", read, same)
		read, same = follow.AnswerRecordForTest([]byte(topic), sealed)
		check("answer", read, same)
		read, same = follow.RouteRecordForTest([]byte(topic), content) // not sealed
		check("bare", read, same)
	})
}
