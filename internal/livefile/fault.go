package livefile

import (
	"fmt"
	"strconv"
	"strings"
)

// maxFaults is how many faults of a file are listed.
const maxFaults = 50

// Fault is one thing that is wrong with a file.
type Fault struct {
	Line int // from 1; 0 is the whole file
	What string
}

// Error is the fault as a line for people.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.What
	}
	return "line " + strconv.Itoa(f.Line) + ": " + f.What
}

// Faults are all things that are wrong with a file, never none.
type Faults []Fault

// Error lists the faults.
func (fs Faults) Error() string {
	var all []string
	for i, f := range fs {
		if i == maxFaults {
			all = append(all, fmt.Sprintf("and %d more", len(fs)-i))
			break
		}
		all = append(all, f.Error())
	}
	return strings.Join(all, "; ")
}
