package scenario

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// serve answers each frame on each connection with what reply returns, until
// the test ends; nil frames are not sent, and no frames close the connection.
func serve(t *testing.T, reply func(n int, cmd remoting.Command) [][]byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	var mu sync.Mutex
	n := 0
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				for {
					frame, err := readFrame(nc)
					if err != nil {
						return
					}
					var cmd remoting.Command
					if err := remoting.DecodeFrame(frame[4:], &cmd); err != nil {
						return
					}
					mu.Lock()
					n++
					out := reply(n, cmd)
					mu.Unlock()
					if out == nil {
						return
					}
					for _, f := range out {
						if _, err := nc.Write(f); err != nil {
							return
						}
					}
				}
			})
		}
	})
	return l.Addr().String()
}

func answerTo(cmd remoting.Command, code remoting.Code) []byte {
	reply := cmd.Reply(code)
	return remoting.AppendFrame(nil, &reply)
}

func TestReplayFindsNothingInTheServerRecorded(t *testing.T) {
	server := func(n int, cmd remoting.Command) [][]byte {
		switch {
		case cmd.IsOneway():
			return [][]byte{}
		case cmd.Code == 999:
			return nil
		}
		return [][]byte{answerTo(cmd, remoting.Code(cmd.Opaque%2))}
	}
	sc := Scenario{Name: "x", script: func(s *Script) {
		s.ask("a", "one", clusters())
		two, three := s.frame(route("t")), s.frame(route("u"))
		s.write("a", "two-at-once", append(two, three...))
		s.answer("a", "three", s.opaque)
		s.answer("a", "two", s.opaque-1)
		s.silent("a", "oneway", clusters().oneway())
		s.settle("b", "settled", clusters())
		s.cut("b", "cut", call(999).frame(77, 0))
		s.ask("b", "dialled-again", clusters())
		s.close("b")
	}}
	g, err := Record(t.Context(), serve(t, server), v533, sc)
	if err != nil {
		t.Fatal(err)
	}
	diffs, err := Replay(t.Context(), serve(t, server), g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(diffs) != 0 {
		t.Errorf("differences from itself: %v", diffs)
	}
}

func TestReplayFindsWhatDiffers(t *testing.T) {
	script := func(s *Script) {
		s.ask("a", "code", clusters())
		s.silent("a", "silent", clusters().oneway())
		s.ask("a", "twice", clusters())
		s.ask("a", "closes", clusters())
		s.ask("a", "last", clusters())
	}
	good := func(n int, cmd remoting.Command) [][]byte {
		if cmd.IsOneway() {
			return [][]byte{}
		}
		return [][]byte{answerTo(cmd, 0)}
	}
	bad := func(n int, cmd remoting.Command) [][]byte {
		a := answerTo(cmd, 0)
		switch n {
		case 1:
			return [][]byte{answerTo(cmd, 1)}
		case 3:
			return [][]byte{a, a}
		case 4:
			return nil
		}
		return [][]byte{a}
	}
	g, err := Record(t.Context(), serve(t, good), v533, Scenario{Name: "x", script: script})
	if err != nil {
		t.Fatal(err)
	}
	diffs, err := Replay(t.Context(), serve(t, bad), g, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range diffs {
		got = append(got, d.Key())
	}
	if want := []string{"x/code/code", "x/silent/outcome", "x/closes/outcome", "x/extra/extra"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAwaitWaitsForTheWantedAnswer(t *testing.T) {
	server := func(n int, cmd remoting.Command) [][]byte {
		if n < 5 {
			return [][]byte{answerTo(cmd, 1)}
		}
		return [][]byte{answerTo(cmd, 0)}
	}
	sc := Scenario{Name: "x", script: func(s *Script) { s.await("a", "wait", clusters(), code(0)) }}
	g, err := Record(t.Context(), serve(t, server), v533, sc)
	if err != nil {
		t.Fatal(err)
	}
	if diffs, err := Replay(t.Context(), serve(t, server), g, nil); err != nil || len(diffs) != 0 {
		t.Errorf("replay: %v, %v", diffs, err)
	}
	known := func(d Difference) bool { return d.Key() == "x/wait/code" }
	if diffs, err := Replay(t.Context(), serve(t, server), g, known); err != nil || len(diffs) != 1 {
		t.Errorf("replay where the difference is known: %v, %v: it waited on", diffs, err)
	}
}

func TestPerformGivesUpInTime(t *testing.T) {
	mute := serve(t, func(int, remoting.Command) [][]byte { return [][]byte{} })
	steps := Scenario{script: func(s *Script) {
		s.ask("a", "ask", clusters())
		s.await("a", "await", clusters(), code(0))
		s.settle("a", "settle", clusters())
		s.cut("a", "cut", clusters().frame(9, 0))
		s.add(Step{Name: "listen", Kind: Listen, Conn: "l", Addr: "127.0.0.1:0"})
		s.add(Step{Name: "receive", Kind: Receive, Conn: "l"})
	}}.For(v533)
	done, err := perform(t.Context(), mute, steps, time.Millisecond, func(Step, []byte) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range done {
		if s.Outcome != Nothing || s.Answer != nil {
			t.Errorf("step %s: %s", s.Name, outcomeText(s))
		}
	}
}

func TestListenerReceivesWhatIsSentToIt(t *testing.T) {
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	nc, err := net.Dial("tcp", l.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	sent := call(905, "minBrokerId", "1").oneway().frame(12345, 479)
	if _, err := nc.Write(sent); err != nil {
		t.Fatal(err)
	}
	got, out, err := l.receive(t.Context(), answerWithin)
	if err != nil || out != Answered || !slices.Equal(got, sent) {
		t.Fatalf("received %q, %s, %v", got, out, err)
	}
	masked := apply([]Mask{maskOpaque}, got)
	if opaque, ok := opaqueOf(masked); !ok || opaque != 0 {
		t.Errorf("masked: %q", masked)
	}
}

func TestReadFrameTrustsNoLength(t *testing.T) {
	for _, b := range []string{"\xff\xff\xff\xff1234", "\x7f\xff\xff\xff1234", "\x00\x00\x00\x031234"} {
		r, w := io.Pipe()
		go func() { _, _ = w.Write([]byte(b)) }()
		if f, err := readFrame(r); err == nil {
			t.Errorf("%q: %q", b, f)
		}
		r.Close()
	}
}

func TestReplayDoesNotWaitForWhatIsKnownNotToHappen(t *testing.T) {
	closes := func(int, remoting.Command) [][]byte { return nil }
	stays := func(int, remoting.Command) [][]byte { return [][]byte{} }
	sc := Scenario{Name: "x", script: func(s *Script) { s.cut("a", "cut", clusters().frame(9, 0)) }}
	g, err := Record(t.Context(), serve(t, closes), v533, sc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), replayWithin/2)
	defer cancel()
	diffs, err := Replay(ctx, serve(t, stays), g, func(d Difference) bool { return d.Key() == "x/cut/outcome" })
	if err != nil || len(diffs) != 1 {
		t.Errorf("%v, %v, want the known difference at once", diffs, err)
	}
}
