package httpapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"signpost/core"
)

// inParallel bounds how many parts of a batch are worked on at a time.
const inParallel = 16

type beatAnswers struct {
	Answers []string    `json:"answers"`          // in the order of the beats: ok, register, gone or busy
	Groups  []toldGroup `json:"groups,omitempty"` // if they were asked for: each once, sorted by name
}

// beats answers POST /v1/register/beats: light heartbeats of brokers, or a
// gateway's confirmations of those that it holds. All are checked before any
// is taken, and all may be repeated.
func (s *Server) beats(ctx context.Context, req *request) (answer, error) {
	body, err := s.readBody(req)
	if err != nil {
		return answer{}, err
	}
	beats, wantsGroups, err := readBeats(body, s.o.Limits.Batch)
	if err != nil {
		return answer{}, err
	}
	for _, b := range beats {
		if err := req.caller.may(b.Cluster); err != nil {
			return answer{}, err
		}
	}
	reply := beatAnswers{Answers: make([]string, len(beats))}
	err = each(ctx, len(beats), func(ctx context.Context, i int) error {
		b := beats[i]
		var now time.Time
		now, b.Age = s.said(req, b.Age)
		b.Owner, b.Front = req.caller.ID, front
		said, err := s.o.Write.Beat(ctx, now, b)
		if errors.Is(err, core.ErrBusy) || errors.Is(err, core.ErrConflict) {
			said, err = core.BeatBusy, nil
		}
		reply.Answers[i] = said.String()
		return err
	})
	if err != nil {
		return answer{}, err
	}
	if wantsGroups {
		names := make([]string, len(beats))
		for i, b := range beats {
			names[i] = b.Broker
		}
		slices.Sort(names)
		if reply.Groups, err = s.told(ctx, slices.Compact(names)); err != nil {
			return answer{}, err
		}
	}
	return jsonAnswer(reply)
}

func readBeats(body []byte, most int) (beats []core.Beat, wantsGroups bool, err error) {
	there := false
	err = readObject(body, "", members{
		"returnGroups": flag(&wantsGroups),
		"beats": func(value []byte) error {
			there = true
			return readList(value, "beats", most, func(i int, value []byte) error {
				b, err := readBeat(value, fmt.Sprintf("beats[%d]", i))
				beats = append(beats, b)
				return err
			})
		},
	})
	if err == nil && !there {
		err = present("", "beats", "")
	}
	return beats, wantsGroups, err
}

func readBeat(value []byte, path string) (b core.Beat, err error) {
	err = readObject(value, path, members{
		"clusterName": name(&b.Cluster),
		"brokerName":  name(&b.Broker),
		"brokerId":    func(v []byte) error { b.HasID = true; return integer(&b.ID, -1<<63)(v) },
		"brokerAddr":  name(&b.Addr),
		"dataVersion": dataVersion(&b.DataVersion),
		"session":     token(&b.Session),
		"age":         millis(&b.Age),
	})
	if err != nil {
		return b, err
	}
	return b, errors.Join(present(path, "clusterName", b.Cluster), present(path, "brokerName", b.Broker), present(path, "brokerAddr", b.Addr))
}

// each calls f for 0 to n-1, some of them at a time, and returns the first
// error, after which no more begin.
func each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(inParallel)
	for i := range n {
		if inner.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			defer recovered(&err)
			return f(inner, i)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err() // some may not have begun
}
