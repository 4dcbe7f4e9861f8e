package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// period is that of the processor's quota, in microseconds, as Docker has it.
const period = 100_000

// limiter puts each process into a cgroup of its own, as
// `docker run --cpus 0.15 -m 256m` would. It needs root, and cgroups of either
// version.
type limiter struct {
	cpu    float64
	memory int // MB

	mu   sync.Mutex
	made []string
}

func (l *limiter) String() string {
	if l.cpu == 0 && l.memory == 0 {
		return "all of the machine"
	}
	return fmt.Sprintf("%v processors and %d MB", l.cpu, l.memory)
}

// put makes a cgroup and moves the process there; what it starts follows.
func (l *limiter) put(pid int) error {
	const root = "/sys/fs/cgroup"
	name := "signpost-timing-" + strings.ToLower(rand.Text()[:8])
	quota := strconv.Itoa(int(l.cpu * period))
	var errs []error
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil { // version 2
		files := map[string]string{}
		if l.cpu > 0 {
			files["cpu.max"] = quota + " " + strconv.Itoa(period)
		}
		if l.memory > 0 {
			files["memory.max"], files["memory.swap.max"] = strconv.Itoa(l.memory<<20), "0"
		}
		errs = append(errs, l.group(filepath.Join(root, name), pid, files))
	} else {
		if l.cpu > 0 {
			errs = append(errs, l.group(filepath.Join(root, "cpu", name), pid,
				map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": quota}))
		}
		if l.memory > 0 {
			errs = append(errs, l.group(filepath.Join(root, "memory", name), pid, map[string]string{"memory.limit_in_bytes": strconv.Itoa(l.memory << 20)}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("limit the instance by a cgroup: %w", err)
	}
	return nil
}

func (l *limiter) group(dir string, pid int, files map[string]string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	l.mu.Lock()
	l.made = append(l.made, dir)
	l.mu.Unlock()
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o644); err != nil && name != "memory.swap.max" { // not there without swap
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

// remove takes the cgroups away, when their processes are gone.
func (l *limiter) remove() {
	for _, dir := range l.made {
		for range 100 {
			if os.Remove(dir) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
