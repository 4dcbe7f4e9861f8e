package dynamo

import (
	"maps"
	"slices"

	"signpost/core"
)

// request is a core.TopicWrite, divided as a set is.
type request struct {
	replace bool
	parts   map[int]*part
}

// part is what a request asks of one chunk.
type part struct {
	put      map[string]core.Topic // with the mappings that are set on them
	remove   map[string]struct{}
	mappings map[string]*core.Mapping // to be set on topics that are there
}

func newRequest(w core.TopicWrite, chunks int) request {
	r := request{replace: w.Replace, parts: map[int]*part{}}
	mappings := make(map[string]*core.Mapping, len(w.Mappings))
	for _, m := range w.Mappings {
		mappings[m.Topic] = m
	}
	for _, t := range w.Put {
		if m, ok := mappings[t.Name]; ok {
			t.Mapping = m
			delete(mappings, t.Name)
		}
		r.part(t.Name, chunks).put[t.Name] = t
	}
	if w.Replace {
		return r // the rest goes, and there is nothing else to set a mapping on
	}
	for _, name := range w.Remove {
		p := r.part(name, chunks)
		if _, kept := p.put[name]; !kept {
			p.remove[name] = struct{}{}
		}
		delete(mappings, name)
	}
	for name, m := range mappings {
		r.part(name, chunks).mappings[name] = m
	}
	return r
}

func (r request) part(name string, chunks int) *part {
	n := chunkOf(name, chunks)
	p := r.parts[n]
	if p == nil {
		p = &part{put: map[string]core.Topic{}, remove: map[string]struct{}{}, mappings: map[string]*core.Mapping{}}
		r.parts[n] = p
	}
	return p
}

// suspects returns the chunks that the manifest does not show to be as the
// request wants them, in order.
func (r request) suspects(m manifest) []int {
	var list []int
	for n, sum := range m.sums {
		p := r.parts[n]
		if p == nil {
			if r.replace && sum != noEntries {
				list = append(list, n)
			}
			continue
		}
		asks := len(p.put) > 0 && p.entries().sum() != sum
		if sum != noEntries { // of nothing, nothing is removed or mapped
			asks = asks || len(p.remove)+len(p.mappings) > 0
		}
		if asks || r.replace && sum == unsettled {
			list = append(list, n)
		}
	}
	return list
}

func (p *part) entries() entries {
	list := make(entries, len(p.put))
	for name, t := range p.put {
		list[name] = entryOfTopic(t)
	}
	return list
}

// change is how one chunk is to become as the request wants it.
type change struct {
	n       int
	sum     sum // that it will have
	topics  entries
	leaving entries      // rows to be deleted
	put     []core.Topic // rows to be written, by name
	keep    []string     // those of put that keep the mapping of the row that is there
	before  int          // topics that the manifest counts in it
}

// empty says that no row changes.
func (c change) empty() bool { return len(c.put)+len(c.leaving) == 0 }

func (c change) rows() int { return len(c.put) + len(c.leaving) }

// plan returns the change from what the rows of a chunk are to what the
// request wants. p is nil if it asks nothing of that chunk.
func (r request) plan(n int, was entries, p *part) change {
	c := change{n: n, topics: entries{}, leaving: entries{}}
	if !r.replace {
		maps.Copy(c.topics, was)
	}
	if p == nil {
		p = &part{}
	}
	for name := range p.remove {
		delete(c.topics, name)
	}
	rows := map[string]core.Topic{}
	for name, t := range p.put {
		e := entryOfTopic(t)
		if t.Mapping == nil && !r.replace {
			e.mapping = was[name].mapping
		}
		c.topics[name], rows[name] = e, t
	}
	for name, m := range p.mappings {
		if e, ok := c.topics[name]; ok {
			e.mapping = mappingDigest(m)
			c.topics[name], rows[name] = e, core.Topic{Name: name, Queues: e.queues, Mapping: m}
		}
	}
	for name, e := range was {
		if _, stays := c.topics[name]; !stays {
			c.leaving[name] = e
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		old, there := was[name]
		if there && old == c.topics[name] {
			continue
		}
		c.put = append(c.put, rows[name])
		if rows[name].Mapping == nil && c.topics[name].mapping != 0 {
			c.keep = append(c.keep, name)
		}
	}
	c.sum = c.topics.sum()
	return c
}

// changed returns the names of the topics whose rows change.
func (c change) changed() []string {
	names := slices.Collect(maps.Keys(c.leaving))
	for _, t := range c.put {
		names = append(names, t.Name)
	}
	return names
}
