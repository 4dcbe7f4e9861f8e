package emulator

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxOutput bounds what is kept of a function's output, in bytes.
const maxOutput = 64 << 20

// output collects what emulators and functions write.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.text) < maxOutput {
		o.text = append(o.text, p...)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// own matches lines of the emulator.
var own = regexp.MustCompile(`^(START RequestId: |END RequestId: |REPORT RequestId: |\d\d \w{3} \d{4} [\d:,]+ \[\w+\] \(rapid\) )`)

func (o *output) lines() []string {
	var lines []string
	for l := range strings.SplitSeq(o.String(), "\n") {
		if l != "" && !own.MatchString(l) {
			lines = append(lines, l)
		}
	}
	return lines
}

// Timings are what the emulator measured, in the order in which it told.
type Timings struct {
	// Inits are from the start of the process until it asked for its first
	// event.
	Inits []time.Duration
	// Invokes are from handing an event over until the function asked for the
	// next: what Lambda bills.
	Invokes []time.Duration
}

var (
	initLine   = regexp.MustCompile(`INIT REPORT\(durationMs: ([\d.]+)\)`)
	invokeLine = regexp.MustCompile(`INVOKE RTDONE\(status: success, produced bytes: \d+, duration: ([\d.]+)ms\)`)
)

func (o *output) timings() Timings {
	text := o.String()
	return Timings{Inits: durations(initLine, text), Invokes: durations(invokeLine, text)}
}

func durations(line *regexp.Regexp, text string) []time.Duration {
	var ds []time.Duration
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		ms, err := strconv.ParseFloat(m[1], 64)
		if err == nil {
			ds = append(ds, time.Duration(ms*float64(time.Millisecond)))
		}
	}
	return ds
}
