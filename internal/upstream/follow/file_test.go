package follow_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signpost/core"
	"signpost/internal/upstream/follow"
)

// at keeps what is known in that file.
func at(path string) func(*follow.Options) {
	return func(o *follow.Options) { o.File = path }
}

// orderOf is the order configuration of T, as text.
func (s *shim) orderOf() string {
	table, err := s.KV(context.Background(), core.OrderNamespace)
	if err != nil {
		return err.Error()
	}
	return table["T"]
}

// Right after a restart everything is answered as it was known last, until the
// cloud answers.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := filepath.Join(t.TempDir(), "routes")
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T", "U", "V")
		c.world().PutKV(context.Background(), core.OrderNamespace, "T", "a:8")
		s := start(t, c, at(path))
		pass(time.Second)
		for _, topic := range []string{"T", "U", "V"} {
			s.route(topic)
		}
		s.Seen(context.Background(), c.register(other, "b", 0, "U"))
		s.want("U", "a 0/8 b 0/8")
		rev, _ := c.world().DeleteTopic(context.Background(), time.Now(), "V", "")
		s.Seen(context.Background(), rev)
		s.want("V", "none")
		known := s.State(time.Now()).Revision
		s.stop()

		pass(time.Hour)
		c.set(func() { c.fault = down })
		s = start(t, c, at(path))
		s.atOnce(func() {
			s.wantKnown("T", "a 0/8 order a:8")
			s.wantKnown("U", "a 0/8 b 0/8")
			s.wantKnown("V", "")
			if got := s.orderOf(); got != "a:8" {
				t.Errorf("order %q", got)
			}
		})
		pass(20 * time.Second)
		s.atOnce(func() { s.want("V", "unavailable") })
		state := s.State(time.Now())
		if state.Connected || state.Revision != known || state.Routes != 2 {
			t.Errorf("while unreachable: %+v, known %d", state, known)
		}
		if age := state.OldestAnswer; age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("the oldest answer is %v old", age)
		}
		s.stop()

		// Again, and all of it is asked for in one call that brings no bodies.
		c.set(func() { c.fault = nil })
		t.Cleanup(c.gateway("again"))
		c.register("again", "a", 0, "T", "U")
		c.register("again", "b", 0, "U")
		c.reset()
		s = start(t, c, at(path))
		pass(time.Second)
		s.wantKnown("T", "a 0/8 order a:8")
		s.wantKnown("U", "a 0/8 b 0/8")
		if c.count("routes") != 1 || c.bodies != 0 || c.count("kv") != 1 {
			t.Errorf("%v, %d bodies", c.calls, c.bodies)
		}
		if age := s.State(time.Now()).OldestAnswer; age > 5*time.Second {
			t.Errorf("the oldest answer is %v old", age)
		}
	})
}

// A restarted shim names the revision that it knew: no function that is behind
// answers from before it.
func TestRestartNamesTheRevision(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := filepath.Join(t.TempDir(), "routes")
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T")
		s := start(t, c, at(path))
		pass(10 * time.Second)
		known := s.State(time.Now()).Revision
		s.stop()
		s = start(t, c, at(path))
		if got := s.State(time.Now()).Revision; got != known || known == 0 {
			t.Errorf("revision %d, was %d", got, known)
		}
	})
}

func TestWhatIsForgottenLeavesTheFile(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := filepath.Join(t.TempDir(), "routes")
		t.Cleanup(c.gateway(other))
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprint("T", i))
		}
		c.register(other, "a", 0, names...)
		few := func(o *follow.Options) { o.Routes = 32 }
		s := start(t, c, at(path), few)
		pass(time.Second)
		for _, name := range names {
			s.route(name)
			pass(time.Second)
		}
		n := s.State(time.Now()).Routes
		s.stop()
		if n > 32 || n < 16 {
			t.Errorf("%d routes", n)
		}
		c.set(func() { c.fault = down })
		s = start(t, c, at(path))
		if got := s.State(time.Now()).Routes; got != n {
			t.Errorf("%d routes in the file of %d", got, n)
		}
		s.stop()
		s = start(t, c, at(path), func(o *follow.Options) { o.Routes = 8 })
		if got := s.State(time.Now()).Routes; got > 8 {
			t.Errorf("%d routes of 8", got)
		}
	})
}

// What the file does not have yet is told: a crash would lose it.
func TestUnwritten(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		c.register(other, "a", 0, "T", "U")
		s := start(t, c, at(filepath.Join(t.TempDir(), "routes")))
		pass(time.Second)
		s.route("T")
		s.route("U")
		if got := s.State(time.Now()).Unwritten; got != 2 {
			t.Errorf("%d are not written right after two were heard", got)
		}
		pass(4 * time.Second)
		if got := s.State(time.Now()).Unwritten; got != 0 {
			t.Errorf("%d are not written some seconds later", got)
		}
	})
}

// fileWith returns a file that knows T, as it is between two processes.
func fileWith(t *testing.T, c *cloud) string {
	path := filepath.Join(t.TempDir(), "routes")
	t.Cleanup(c.gateway(other))
	names := []string{"T", "U"}
	for i := range 300 {
		names = append(names, fmt.Sprint("more", i))
	}
	c.register(other, "a", 0, names...)
	s := start(t, c, at(path))
	pass(time.Second)
	for _, name := range names {
		s.want(name, "a 0/8")
	}
	s.stop()
	c.set(func() { c.fault = down })
	return path
}

// A file that cannot be read is set aside; what can be read of it is kept.
func TestBrokenFile(t *testing.T) {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	update := func(change func(tx *bbolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			must(t, errors.Join(db.Update(change), db.Close()))
		}
	}
	for name, test := range map[string]struct {
		damage func(t *testing.T, path string)
		want   string // is known of T
	}{
		"empty":   {func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) }, ""},
		"text":    {func(t *testing.T, path string) { must(t, os.WriteFile(path, make([]byte, 100_000), 0o600)) }, ""},
		"cut":     {func(t *testing.T, path string) { must(t, os.Truncate(path, 5*4096)) }, ""},
		"format":  {update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte("next")) }), ""},
		"buckets": {update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("meta")) }), ""},
		"marks":   {update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("marks"), []byte("no marks")) }), "a 0/8"},
		"order":   {update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("order"), []byte("no order")) }), "a 0/8"},
		"another": {update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("routes")).Put([]byte("U"), []byte("no route")) }), "a 0/8"},
		"record": {update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("routes"))
			return b.Put([]byte("T"), b.Get([]byte("U"))) // of another key
		}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cloud) {
				path := fileWith(t, c)
				test.damage(t, path)
				s := start(t, c, at(path))
				s.wantKnown("T", test.want)
				if s.log.with("set aside") != 1 {
					t.Error("it does not say so")
				}
				if s.log.with("runtime error") > 0 {
					t.Error("it speaks of bbolt's inside")
				}
				if _, err := os.Stat(path + ".broken"); err != nil {
					t.Error(err)
				}
				s.stop()
				s = start(t, c, at(path)) // what was saved is in the new one
				s.wantKnown("T", test.want)
				if s.log.with("set aside") != 0 {
					t.Error("the new file is broken")
				}
			})
		})
	}
}

// One wrong byte anywhere is noticed, or does no harm.
func TestFileWithOneWrongByte(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := fileWith(t, c)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			damaged := append([]byte{}, whole...)
			damaged[rand.IntN(len(damaged))] ^= byte(1 + rand.IntN(255))
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := follow.New(follow.Options{Cloud: c, Gateway: "gw", NewID: newID, File: path})
			if err != nil {
				t.Fatal(err)
			}
			for _, topic := range []string{"T", "U"} {
				if found, err, ok := f.Known(time.Now(), topic); ok && described(found.Route, err) != "a 0/8" {
					t.Errorf("%s: %s", topic, described(found.Route, err))
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			os.Remove(path + ".broken")
		}
	})
}

// A file that goes bad under a process is set aside, and all that is known is in
// a new one. Once: then the process goes on without.
func TestAFileThatGoesBad(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not let a mapped file be cut short, or say it otherwise")
	}
	bubble(t, func(t *testing.T, c *cloud) {
		path := fileWith(t, c)
		c.set(func() { c.fault = nil })
		s := start(t, c, at(path))
		pass(10 * time.Second)
		bad := func(number string) {
			t.Helper()
			if err := os.Truncate(path, 4096); err != nil {
				t.Fatal(err)
			}
			s.Seen(context.Background(), c.register(other, "b", 0, "U"+number))
			s.want("U"+number, "b 0/8")
			pass(10 * time.Second)
		}
		bad("1")
		if n := s.log.with("set aside"); n != 1 {
			t.Errorf("%d log lines", n)
		}
		s.want("U1", "b 0/8")
		s.stop()
		c.set(func() { c.fault = down })
		s = start(t, c, at(path))
		for topic, want := range map[string]string{"T": "a 0/8", "U": "a 0/8", "U1": "b 0/8"} {
			s.wantKnown(topic, want)
		}
		c.set(func() { c.fault = nil })
		pass(10 * time.Second)
		bad("2")
		bad("3")
		if set, cannot := s.log.with("set aside"), s.log.with("cannot be written"); set != 1 || cannot != 1 {
			t.Errorf("%d and %d log lines", set, cannot)
		}
		s.KeepAnswer("q", []byte("x"), time.Now())
		pass(10 * time.Second)
		s.wantAnswer("q", "none")
		s.stop()
	})
}

// A file on a disk that became read-only, as those do that fail, is good for what
// it has.
func TestAFileThatCannotBeWritten(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := fileWith(t, c)
		defer follow.ReadOnlyForTest()()
		s := start(t, c, at(path))
		s.wantKnown("T", "a 0/8")
		c.set(func() { c.fault = nil })
		pass(10 * time.Second)
		s.Seen(context.Background(), c.register(other, "b", 0, "T", "new"))
		s.want("T", "a 0/8 b 0/8")
		pass(10 * time.Second)
		if is, cannot := s.log.with("a disk that cannot be written"), s.log.with("routes cannot be written"); is != 1 || cannot != 1 {
			t.Errorf("%d and %d log lines", is, cannot)
		}
		s.stop()
	})
}

func TestFileInUse(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		path := fileWith(t, c)
		start(t, c, at(path))
		if _, err := follow.New(follow.Options{Cloud: c, Gateway: "gw", NewID: newID, File: path}); !errors.Is(err, follow.ErrInUse) {
			t.Errorf("%v", err)
		}
		if _, err := follow.New(follow.Options{Cloud: c, Gateway: "gw", NewID: newID, File: filepath.Join(path, "none")}); err == nil {
			t.Error("a file where none can be")
		}
	})
}

// childPath is the variable that makes the test binary a process that keeps
// routes in the file at that path until it is killed.
const childPath = "FOLLOW_TEST_CHILD"

func child() {
	path := os.Getenv(childPath)
	if path == "" {
		return
	}
	if err := keepForEver(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1) // nobody killed it
}

const childTopics = 50

// keepForEver writes routes whose number of queues is that of the write, and
// tells each that is done.
func keepForEver(path string) error {
	f, err := follow.OpenFileForTest(path)
	if err != nil {
		return err
	}
	for n := 1; n < 1_000_000; n++ {
		for i := range childTopics {
			r := &core.Route{Topic: fmt.Sprint("T", i)}
			r.Brokers = []core.RouteBroker{{Name: "a", Cluster: "c", Addrs: []core.ReplicaAddr{{Addr: "a:1"}}}}
			r.Rows = []core.Row{{Broker: "a", Topic: core.Topic{Name: r.Topic, Queues: core.Queues{Read: int32(n)}}}}
			f.Keep(r)
		}
		f.Write(core.Revision(n))
		fmt.Println(n)
	}
	return nil
}

// A process that is killed at any moment leaves a file that can be read, with
// all that was written, of one moment.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes")
	for round := range 8 {
		written := killed(t, path, rand.IntN(20))
		log := &lines{}
		f, err := follow.New(follow.Options{Cloud: newCloud(), Gateway: "gw", NewID: newID, File: path, Log: logTo(log)})
		if err != nil {
			t.Fatal(err)
		}
		if log.with("set aside") > 0 {
			t.Fatalf("round %d: the file is broken", round)
		}
		n := int(f.State(time.Now()).Revision)
		if n < written {
			t.Errorf("round %d: %d is written, found %d", round, written, n)
		}
		for i := range childTopics {
			found, _, ok := f.Known(time.Now(), fmt.Sprint("T", i))
			if !ok || int(found.Route.Rows[0].Queues.Read) != n {
				t.Errorf("round %d: T%d is not of %d", round, i, n)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
		os.Remove(path) // a new file is made in the next round
	}
}

// killed starts a process that writes, kills it after some writes and returns
// the last one that it told.
func killed(t *testing.T, path string, after int) (written int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for text := bufio.NewScanner(out); text.Scan(); {
		if written, err = strconv.Atoi(text.Text()); err != nil {
			t.Fatal(err)
		}
		if written == 1+after {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if written <= after || cmd.ProcessState.Exited() {
		t.Fatalf("it ended by itself after %d", written)
	}
	return written
}
