package daemon

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// forgetCode unmaps the pages of the program's own code and constants that
// were read so far, most of which only the start needed: the AWS SDK's, for
// one, when no table is used. What is used again comes back from the system's
// cache, page by page.
func forgetCode() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	found := false
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var mode, path string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %s %s", &from, &to, &mode, new(string), new(string), new(string), &path); n < 7 {
			continue
		}
		if path != self || !strings.HasPrefix(mode, "r-") { // never what was written to
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
		found = true
	}
	if !found {
		return fmt.Errorf("nothing of %s is mapped", self)
	}
	return nil
}
