//go:build e2e

package soak

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"signpost/bench/load"
	"signpost/internal/remoting"
)

// Permissions of a topic (Java: PermName).
const (
	permReadWrite = 6
	permRead      = 4
)

// model is what a Java NameServer would hold: of every broker that lives what
// it has said last.
func (s *soak) model() (routes map[string]map[string]row, brokers []string) {
	routes = map[string]map[string]row{}
	for _, b := range s.brokers {
		b.mu.Lock()
		if !b.since.IsZero() {
			brokers = append(brokers, b.name)
			for topic, n := range b.topics {
				if routes[topic] == nil {
					routes[topic] = map[string]row{}
				}
				perm := int32(permReadWrite)
				if b.wiped {
					perm = permRead
				}
				routes[topic][b.name] = row{Addr: b.addr, Queues: n, Perm: perm}
			}
		}
		b.mu.Unlock()
	}
	slices.Sort(brokers)
	return routes, brokers
}

// names of brokers in an answer whose keys may be numbers, as Java writes them.
var namesInClusters = regexp.MustCompile(`"brokerName":"([^"]+)"`)

// differences are those of a shim's answers from the model, about so many at
// most.
func (s *soak) differences(f *front, most int) []string {
	routes, brokers := s.model()
	var found []string
	if names, err := s.listed(f); err != nil {
		found = append(found, fmt.Sprintf("%s: %v", f.name, err))
	} else if !slices.Equal(names, brokers) {
		found = append(found, fmt.Sprintf("%s: brokers: %s", f.name, diff(names, brokers)))
	}
	// Those that were not as they should be are asked for first: as long as they
	// are not, the others need not be.
	var suspects, others []string
	for topic := range s.topics() {
		if s.suspect[topic] {
			suspects = append(suspects, topic)
		} else {
			others = append(others, topic)
		}
	}
	for _, topics := range [][]string{suspects, others} {
		if len(found) == 0 {
			found = s.wrong(f, topics, routes, most)
		}
	}
	return found
}

// wrong says which topics the shim does not answer as it should, about so many
// at most. They are suspects from now on.
func (s *soak) wrong(f *front, topics []string, routes map[string]map[string]row, most int) (found []string) {
	var mu sync.Mutex
	next := make(chan string)
	var askers sync.WaitGroup
	for range askersEach {
		askers.Go(func() {
			c := client{front: f}
			defer c.close()
			for topic := range next {
				if d := c.differs(topic, routes[topic]); d != "" {
					mu.Lock()
					found = append(found, fmt.Sprintf("%s: %s: %s", f.name, topic, d))
					s.suspect[topic] = true
					mu.Unlock()
				}
			}
		})
	}
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(found) >= most
	}
	for _, topic := range topics {
		if enough() {
			break
		}
		next <- topic
	}
	close(next)
	askers.Wait()
	return found
}

// askersEach is how many clients compare a shim's answers.
const askersEach = 8

// listed are the brokers that a shim lists.
func (s *soak) listed(f *front) ([]string, error) {
	r, err := load.NewRequest(remoting.Command{Code: remoting.GetBrokerClusterInfo, Language: "JAVA", Version: remoting.V5_3_3})
	if err != nil {
		return nil, err
	}
	c := client{front: f}
	defer c.close()
	a, ok := c.ask(&r)
	if !ok || a.Code != int32(remoting.Success) {
		return nil, fmt.Errorf("no list of brokers: code %d: %s", a.Code, a.Header)
	}
	var names []string
	for _, m := range namesInClusters.FindAllSubmatch(a.Body, -1) {
		names = append(names, string(m[1]))
	}
	slices.Sort(names)
	return names, nil
}

// differs says in what the answer for a topic is not what it should be.
func (c *client) differs(topic string, want map[string]row) string {
	r, err := load.RouteRequest(topic)
	if err != nil {
		return err.Error()
	}
	a, ok := c.ask(&r)
	switch {
	case !ok:
		return "no answer"
	case a.Code == int32(remoting.TopicNotExist) && len(want) == 0:
		return ""
	case a.Code != int32(remoting.Success):
		return fmt.Sprintf("code %d, not %d brokers: %s", a.Code, len(want), a.Header)
	}
	got, err := decode(a.Body)
	if err != nil {
		return err.Error()
	}
	return differentRows(got, want)
}

// topics are all that a broker has or has had.
func (s *soak) topics() map[string]bool {
	all := map[string]bool{}
	for _, topic := range shared {
		all[topic] = true
	}
	for _, b := range s.brokers {
		b.mu.Lock()
		for topic := range b.had {
			all[topic] = true
		}
		b.mu.Unlock()
	}
	return all
}

// diff says what one list has and the other has not.
func diff(got, want []string) string {
	var more, less []string
	for _, g := range got {
		if _, ok := slices.BinarySearch(want, g); !ok {
			more = append(more, g)
		}
	}
	for _, w := range want {
		if _, ok := slices.BinarySearch(got, w); !ok {
			less = append(less, w)
		}
	}
	return fmt.Sprintf("%d more: %.200s; %d less: %.200s", len(more), strings.Join(more, " "), len(less), strings.Join(less, " "))
}

func differentRows(got, want map[string]row) string {
	var all []string
	for name, w := range want {
		if g, ok := got[name]; !ok {
			all = append(all, fmt.Sprintf("no %s", name))
		} else if g != w {
			all = append(all, fmt.Sprintf("%s is %+v, not %+v", name, g, w))
		}
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			all = append(all, fmt.Sprintf("%s is there: %+v", name, g))
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("%.500s", strings.Join(all, "; "))
}
