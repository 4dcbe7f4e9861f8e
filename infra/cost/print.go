package cost

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// fleets are the brokers of the months that are told, each with as many clients.
var fleets = []float64{100, 1_000, 10_000}

// Print writes everything as Markdown: operations, months, what they depend
// on, assumptions and prices.
func Print(w io.Writer, a Assumptions) error {
	p := &printer{}
	p.operations()
	p.months("What a month costs behind "+number(a.Shims)+" shims", append([]Month{a.Idle()}, a.each(Assumptions.BehindShims)...))
	p.line("Two t4g.small running Java's NameServer cost $%.2f, whatever they do. The shims run beside the brokers and are not in the bill.", Java())
	p.months("What a month costs directly over HTTPS", a.each(Assumptions.OverHTTPS))
	p.line("Brokers that heartbeat and clients that look up by themselves pay for every call. This is for a few of them; a fleet stands behind shims.")
	p.months("What a month costs over the table alone, with "+number(a.Shims)+" bin/namesrv", a.each(Assumptions.OverTheTable))
	p.line("`bin/namesrv --store dynamodb:TABLE` writes once a heartbeat of each broker. Its machines are not in the bill, nor what leaves AWS if they are not there.")
	p.options(a)
	p.assumptions(a)
	p.prices()
	_, err := io.WriteString(w, p.String())
	return err
}

func (a Assumptions) each(month func(Assumptions, float64) Month) (all []Month) {
	for _, n := range fleets {
		all = append(all, month(a, n))
	}
	return all
}

type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) row(cells ...string) { p.line("| %s |", strings.Join(cells, " | ")) }

// header writes a table's head: the first column is text, the others numbers.
func (p *printer) header(first string, others ...string) {
	p.row(append([]string{first}, others...)...)
	p.line("|---|%s", strings.Repeat("---:|", len(others)))
}

func (p *printer) operations() {
	p.line("## What an operation takes of the table\n")
	p.line("In request units, as measured on DynamoDB Local by `make e2e`, which fails where it is more.\n")
	p.header("operation", "write units", "at most", "read units", "at most")
	for _, o := range Operations() {
		p.row(o.Name, number(o.Takes.Write), bound(o.Budget.Write), number(o.Takes.Read), bound(o.Budget.Read))
	}
}

func (p *printer) months(title string, all []Month) {
	p.line("\n## %s\n", title)
	p.line("30 days, in dollars at list prices without any free tier.\n")
	heads := make([]string, len(all))
	usage := make([]Usage, len(all))
	for i, m := range all {
		heads[i], usage[i] = m.title(), m.Usage()
	}
	p.header("item", heads...)
	for i := range items {
		p.row(append([]string{Prices[i].Item}, cells(all, func(n int) string { return money(i.Dollars(usage[n][i], false)) })...)...)
	}
	p.row(append([]string{"**all**"}, cells(all, func(n int) string { return "**" + money(usage[n].Dollars(false)) + "**" })...)...)
	p.row(append([]string{"with the free tiers that never end"}, cells(all, func(n int) string { return money(usage[n].Dollars(true)) })...)...)
	p.line("\nThe same by what causes it:\n")
	p.header("cause", heads...)
	for _, part := range all[len(all)-1].Parts {
		p.row(append([]string{part.Cause}, cells(all, func(n int) string { return money(all[n].part(part.Cause).Dollars(false)) })...)...)
	}
	p.line("")
}

func (m Month) title() string {
	if m.Brokers == 0 {
		return "idle"
	}
	return number(m.Brokers) + " brokers"
}

func (m Month) part(cause string) Usage {
	for _, p := range m.Parts {
		if p.Cause == cause {
			return p.Usage
		}
	}
	return Usage{}
}

func cells(all []Month, f func(int) string) []string {
	c := make([]string, len(all))
	for i := range all {
		c[i] = f(i)
	}
	return c
}

// options tells how much depends on what was assumed.
func (p *printer) options(a Assumptions) {
	p.line("\n## What it depends on\n")
	p.line("The month behind shims, where one thing is otherwise:\n")
	heads := make([]string, len(fleets))
	for i, n := range fleets {
		heads[i] = number(n) + " brokers"
	}
	p.header("otherwise", heads...)
	for _, o := range []struct {
		name   string
		change func(*Assumptions)
	}{
		{"as assumed", func(*Assumptions) {}},
		{"ten times the restarts and topic changes", func(a *Assumptions) { a.RestartsPerBroker *= 10; a.TopicChangesPerDay *= 10 }},
		{"four shims", func(a *Assumptions) { a.Shims = 4 }},
		{"one shim", func(a *Assumptions) { a.Shims = 1 }},
		{"a session beat every second", func(a *Assumptions) { a.BeatSeconds = 1 }},
		{"functions five times as slow", func(a *Assumptions) { a.RegisterMillis *= 5; a.RouteMillis *= 5; a.SweepMillis *= 5 }},
		{"a broker with a timeout of a minute or less", func(a *Assumptions) { a.ShortTimeouts = 1 }},
		{"40 topics a broker and a client", func(a *Assumptions) { a.TopicsPerBroker, a.TopicsPerClient = 40, 40 }},
		{"a list of all topics every minute", func(a *Assumptions) { a.ListsPerDay = 24 * 60 }},
		{"the account has three dashboards already", func(a *Assumptions) { a.OtherDashboards = 3 }},
	} {
		b := a
		o.change(&b)
		all := b.each(Assumptions.BehindShims)
		p.row(append([]string{o.name}, cells(all, func(n int) string { return money(all[n].Usage().Dollars(false)) })...)...)
	}
}

func (p *printer) assumptions(a Assumptions) {
	p.line("\n## Assumptions\n")
	p.line("Each is a flag: `make cost ARGS='--restarts 10 --shims 4'`.\n")
	p.header("what", "value", "flag")
	for _, f := range a.Fields() {
		p.row(f.Means, number(*f.Value), "`"+f.Name+"`")
	}
}

func (p *printer) prices() {
	p.line("\n## Prices\n")
	p.line("us-east-1, November 2026. Free for ever is what an account has every month, not in its first year alone. An account's first three dashboards cost nothing in either sum.\n")
	p.line("Not in the sums: the bucket that a deployment is copied to, keeping logs longer than they are taken in ($0.03 a GB), taxes and support; and the first registration of each broker, one write a topic, once.\n")
	p.header("item", "dollars", "for a", "free for ever", "source")
	for _, i := range Prices {
		p.row(i.Item, strconv.FormatFloat(i.Per, 'f', -1, 64), i.Unit, number(i.Free), i.Source)
	}
}

func money(dollars float64) string { return strconv.FormatFloat(dollars, 'f', 2, 64) }

// number writes whole numbers with commas, others with what they have.
func number(n float64) string {
	s := strconv.FormatFloat(n, 'f', -1, 64)
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

func bound(n float64) string {
	if math.IsInf(n, 1) {
		return ""
	}
	return number(n)
}
