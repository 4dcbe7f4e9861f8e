package compare

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTo writes the result for people: what differs, by broker and topic.
func (r *Result) WriteTo(w io.Writer) (int64, error) {
	c := &counter{w: w}
	for _, what := range r.NotCompared {
		fmt.Fprintf(c, "not compared, for one of them does not answer it: %s\n", what)
	}
	suffix := ""
	if r.Ignored > 0 {
		suffix = fmt.Sprintf(" (%d differences are ignored)", r.Ignored)
	}
	if r.Equal {
		fmt.Fprintf(c, "A %s and B %s say the same of %d brokers and %d topics%s\n", r.A, r.B, r.Brokers, r.Topics, suffix)
		return c.n, c.err
	}
	fmt.Fprintf(c, "A %s and B %s differ in %d of %d brokers and %d of %d topics%s\n", r.A, r.B,
		r.differing(broker), r.Brokers, r.differing(topicKind), r.Topics, suffix)
	r.writeDifferences(c)
	return c.n, c.err
}

// writeDifferences writes a paragraph for each subject, and one for neighbours
// that differ as a whole, a line each.
func (r *Result) writeDifferences(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var last subject // of the paragraph; only a kind where that is of whole ones
	for _, d := range r.Differences {
		paragraph, label := subject{d.Kind, d.Name}, "  "+join(d.Broker, d.What)
		whole := d.Broker == "" && d.What == ""
		if whole {
			paragraph, label = subject{kind: d.Kind}, d.Kind+" "+d.Name
		}
		if paragraph != last {
			table.Flush()
			fmt.Fprintln(w)
			if !whole {
				fmt.Fprintf(w, "%s %s\n", d.Kind, d.Name)
			}
		}
		last = paragraph
		fmt.Fprintf(table, "%s\tA %s\tB %s\n", label, orNothing(d.A), orNothing(d.B))
	}
	table.Flush()
}

// differing is how many of a kind differ.
func (r *Result) differing(kind string) int {
	names := map[string]struct{}{}
	for _, d := range r.Differences {
		if d.Kind == kind {
			names[d.Name] = struct{}{}
		}
	}
	return len(names)
}

func join(broker, what string) string {
	if broker != "" && what != "" {
		return broker + " " + what
	}
	return broker + what
}

func orNothing(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// counter counts what is written, and keeps the first error.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

// Write writes unless writing has failed before.
func (c *counter) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.err = err
	return n, err
}
