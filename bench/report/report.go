// Package report turns measured values into the table of ratios and targets,
// and keeps what is needed to judge it: the spread, the machine, the date.
package report

import (
	"fmt"
	"slices"
	"strings"
)

// Server is one of the servers that are measured.
type Server string

// The servers, in the order of the table's columns.
const (
	Java   Server = "Java"
	Ours   Server = "Signpost"
	Canned Server = "canned"
)

// Row is one measured quantity.
type Row struct {
	// Key identifies the row, Part the group of rows that are measured
	// together.
	Key, Part string
	Name      string
	// Unit is "/s", "ms", "MB" (10^6 bytes) or "%".
	Unit string
	// Targets are what Signpost's value must reach. A row without targets
	// explains others.
	Targets []Target
}

// Target is a bound on Signpost's value of a row: Factor times Java's or the
// canned server's value of this row, or its own value of the row Of, or, if
// none of these is named, times one unit of the row.
type Target struct {
	// AtLeast makes it a lower bound instead of an upper one.
	AtLeast bool
	Factor  float64
	Server  Server
	Of      string
	// OfName says in the table what the row Of is.
	OfName string
}

// String writes the target for people.
func (t Target) String() string {
	sign := "<="
	if t.AtLeast {
		sign = ">="
	}
	switch {
	case t.Of != "":
		return fmt.Sprintf("%s %g x %s", sign, t.Factor, t.OfName)
	case t.Server == Canned:
		return fmt.Sprintf("%s %g %% of canned", sign, t.Factor*100)
	case t.Server != "":
		return fmt.Sprintf("%s %g x %s", sign, t.Factor, t.Server)
	}
	return fmt.Sprintf("%s %g", sign, t.Factor)
}

// Verdict is the judgement on a target or on all targets of a row.
type Verdict string

// The verdicts. Open is a target whose values were not all measured.
const (
	OK   Verdict = "ok"
	Miss Verdict = "MISS"
	Open Verdict = "open"
)

// Values are what was measured: for each row and server one value a round.
type Values map[string]map[Server][]float64

// Add adds the value of one round.
func (v Values) Add(row string, s Server, value float64) {
	if v[row] == nil {
		v[row] = map[Server][]float64{}
	}
	v[row][s] = append(v[row][s], value)
}

// Median returns the middle of the rounds' values, of an even number the mean
// of the two in the middle, and whether there are any.
func (v Values) Median(row string, s Server) (float64, bool) {
	return median(v[row][s])
}

func median(values []float64) (float64, bool) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0, false
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2, true
}

// Quotient returns how many times the values under go into those over: the
// median of the rounds' quotients, for a round's values are of one time and the
// machine may be faster at another. ok is false if a round lacks one of the two.
func Quotient(over, under []float64) (q float64, ok bool) {
	if len(over) != len(under) || slices.Contains(under, 0) {
		return 0, false
	}
	quotients := make([]float64, len(over))
	for i := range over {
		quotients[i] = over[i] / under[i]
	}
	return median(quotients)
}

// Judge compares the row with t, a target of it.
func (v Values) Judge(row string, t Target) Verdict {
	ours := v[row][Ours]
	got, ok := median(ours)
	switch {
	case t.Of != "":
		got, ok = Quotient(ours, v[t.Of][Ours])
	case t.Server != "":
		got, ok = Quotient(ours, v[row][t.Server])
	}
	if !ok {
		return Open
	}
	if t.AtLeast && got >= t.Factor || !t.AtLeast && got <= t.Factor {
		return OK
	}
	return Miss
}

// JudgeRow is a miss if one target of r is missed, open if one is open, and
// otherwise ok. A row without targets has no verdict.
func (v Values) JudgeRow(r Row) Verdict {
	var worst Verdict
	for _, t := range r.Targets {
		switch verdict := v.Judge(r.Key, t); {
		case verdict == Miss || worst == "":
			worst = verdict
		case verdict == Open && worst == OK:
			worst = Open
		}
	}
	return worst
}

// Missed returns the names of the rows with a missed target.
func (v Values) Missed(rows []Row) []string {
	var names []string
	for _, r := range rows {
		if v.JudgeRow(r) == Miss {
			names = append(names, r.Name)
		}
	}
	return names
}

// format writes a value with three digits that mean something.
func format(value float64) string {
	switch {
	case value >= 100:
		s := fmt.Sprintf("%.0f", value)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// cell is the median of a row's values.
func (v Values) cell(row string, s Server) string {
	if m, ok := v.Median(row, s); ok {
		return format(m)
	}
	return "-"
}

// spread is the lowest and the highest value of a row.
func (v Values) spread(row string, s Server) string {
	values := v[row][s]
	if len(values) == 0 {
		return "-"
	}
	return format(slices.Min(values)) + " .. " + format(slices.Max(values))
}

// ratio is the quotient of two servers.
func (v Values) ratio(row string, over, under Server) string {
	if q, ok := Quotient(v[row][over], v[row][under]); ok {
		return format(q)
	}
	return "-"
}

// Tables writes the rows with targets as one Markdown table, and those without
// as another. Rows of which nothing was measured are left out.
func (v Values) Tables(rows []Row) string {
	judged := [][]string{{"", "unit", string(Java), string(Ours), string(Canned),
		"Signpost : Java", "Signpost : canned", "target", "verdict"}}
	others := [][]string{{"beside", "unit", string(Java), string(Ours), string(Canned)}}
	for _, r := range rows {
		if len(v[r.Key]) == 0 {
			continue
		}
		line := []string{r.Name, r.Unit, v.cell(r.Key, Java), v.cell(r.Key, Ours), v.cell(r.Key, Canned)}
		if len(r.Targets) == 0 {
			others = append(others, line)
			continue
		}
		var targets []string
		for _, t := range r.Targets {
			targets = append(targets, t.String())
		}
		judged = append(judged, append(line, v.ratio(r.Key, Ours, Java), v.ratio(r.Key, Ours, Canned),
			strings.Join(targets, ", "), string(v.JudgeRow(r))))
	}
	return joinTables(judged, others)
}

// Spread writes the lowest and the highest value of each row as a Markdown
// table.
func (v Values) Spread(rows []Row) string {
	lines := [][]string{{"lowest .. highest of the rounds", "unit", string(Java), string(Ours), string(Canned)}}
	for _, r := range rows {
		if len(v[r.Key]) > 0 {
			lines = append(lines, []string{r.Name, r.Unit, v.spread(r.Key, Java), v.spread(r.Key, Ours), v.spread(r.Key, Canned)})
		}
	}
	return joinTables(lines)
}

// Against writes the rows as a Markdown table of Signpost's values, with their
// spread, and those of one other server. Rows of which nothing was measured
// are left out.
func (v Values) Against(rows []Row, ours string, other Server) string {
	lines := [][]string{{"", "unit", ours, "lowest .. highest", string(other), "target", "verdict"}}
	for _, r := range rows {
		if len(v[r.Key]) == 0 {
			continue
		}
		var targets []string
		for _, t := range r.Targets {
			targets = append(targets, t.String())
		}
		lines = append(lines, []string{r.Name, r.Unit, v.cell(r.Key, Ours), v.spread(r.Key, Ours), v.cell(r.Key, other),
			strings.Join(targets, ", "), string(v.JudgeRow(r))})
	}
	return joinTables(lines)
}

// joinTables writes those tables that have more than a head.
func joinTables(tables ...[][]string) string {
	var written []string
	for _, t := range tables {
		if len(t) > 1 {
			written = append(written, table(t))
		}
	}
	return strings.Join(written, "\n")
}

// table writes lines, of which the first is the head, as a Markdown table with
// aligned columns: text to the left, numbers to the right. Text are the first
// two columns and those of targets and verdicts.
func table(lines [][]string) string {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len(cell), 3)
		}
	}
	head := lines[0]
	right := func(i int) bool { return i >= 2 && head[i] != "target" && head[i] != "verdict" }
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-len(cell))
			if right(i) {
				b.WriteString("| " + pad + cell + " ")
			} else {
				b.WriteString("| " + cell + pad + " ")
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i := range line {
			dashes := strings.Repeat("-", width[i])
			if right(i) {
				dashes = dashes[1:] + ":"
			}
			b.WriteString("| " + dashes + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}
