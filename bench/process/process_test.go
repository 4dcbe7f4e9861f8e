//go:build linux

package process

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStatusBytes(t *testing.T) {
	const status = "Name:\tVmRSS: 1 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nBad:\tmany kB\n"
	for _, tt := range []struct {
		key  string
		want int64
		ok   bool
	}{
		{"VmRSS:", 1 << 20, true},
		{"VmHWM:", 2 << 20, true},
		{"Bad:", 0, false},
		{"VmSwap:", 0, false},
	} {
		if got, err := statusBytes(status, tt.key); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s %d, %v", tt.key, got, err)
		}
	}
}

func TestStatCPU(t *testing.T) {
	const stat = "42 (odd ) name) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 8 20 0 5 0 100 1000 200"
	if got, err := statCPU(stat); err != nil || got != 2*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := statCPU("42 (short) S 1"); err == nil {
		t.Error("a short line is taken")
	}
}

func TestMachineCPU(t *testing.T) {
	const stat = "cpu  100 20 30 1000 2000 4 5 41 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
	if got, err := machineCPU(stat); err != nil || got != 2*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "cpu0 1 1 1 1 1 1 1 1", "cpu 1 1 1 1 1 1 1", "cpu 1 1 1 1 1 x 1 1"} {
		if _, err := machineCPU(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if d, err := MachineCPU(); err != nil || d <= 0 {
		t.Errorf("of this machine: %v, %v", d, err)
	}
}

// sleeper appends its start to a file in its folder and then waits.
var sleeper = Command{
	Name: "sleeper",
	Args: func(_ int, dir string) []string {
		return []string{"sh", "-c", `echo "$WORD" >> "$1/starts"; exec sleep 600`, "sh", dir}
	},
	Env: []string{"WORD=in $DIR"},
}

// starts waits until the sleeper has started n times.
func starts(t *testing.T, dir string, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		b, _ := os.ReadFile(filepath.Join(dir, "starts"))
		if strings.Count(string(b), "in "+dir+"\n") == n {
			return
		}
	}
	t.Fatalf("the process has not started %d times", n)
}

func TestStartRestartStop(t *testing.T) {
	for name, core := range map[string]int{"on one core": 0, "on all": Anywhere} {
		t.Run(name, func(t *testing.T) { startRestartStop(t, core) })
	}
}

func startRestartStop(t *testing.T, core int) {
	p, err := sleeper.Start(core)
	if err != nil {
		t.Fatal(err)
	}
	starts(t, p.dir, 1)
	if m, err := p.Memory(); err != nil || m.Now <= 0 || m.Peak < m.Now || m.Files > m.Now {
		t.Errorf("memory %+v, %v", m, err)
	}
	if _, err := p.CPU(); err != nil {
		t.Error(err)
	}
	again, err := p.Restart()
	if err != nil {
		t.Fatal(err)
	}
	starts(t, p.dir, 2)
	if again.Addr != p.Addr || again.pid == p.pid {
		t.Errorf("restarted at %v as %d, before %v as %d", again.Addr, again.pid, p.Addr, p.pid)
	}
	if p.Ended() == nil || again.Ended() != nil {
		t.Errorf("ended: the first %v, the second %v", p.Ended(), again.Ended())
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestEndedQuotesTheOutput(t *testing.T) {
	c := Command{Name: "failing", Args: func(int, string) []string { return []string{"sh", "-c", "echo no license >&2; exit 7"} }}
	p, err := c.Start(0)
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "no license") || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("the error is %v", err)
	}
}

func TestAttach(t *testing.T) {
	p := Attach(netip.MustParseAddrPort("127.0.0.1:9876"), os.Getpid())
	if err := p.Ended(); err != nil {
		t.Error(err)
	}
	if m, err := p.Memory(); err != nil || m.Now < 1<<20 {
		t.Errorf("memory %+v, %v", m, err)
	}
}
