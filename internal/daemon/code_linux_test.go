package daemon

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// residentFile is how much of mapped files is in memory, in kB.
func residentFile(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestForgetCode(t *testing.T) {
	before := residentFile(t)
	if err := forgetCode(); err != nil {
		t.Fatal(err)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d kB of code before, %d kB after", before, after)
	}
}
