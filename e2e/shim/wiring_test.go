package shim_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/e2e/shim/link"
	"signpost/internal/memory"
	"signpost/internal/nameserver"
	"signpost/internal/upstream"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/follow"
	"signpost/internal/upstream/held"
)

// shim is one shim.
type shim struct {
	front
	s    *scene
	link *link.Link
	file string
	dead atomic.Bool
	end  func()

	told struct {
		mu  sync.Mutex
		all []core.MinBrokerChange
	}
}

func (s *scene) newShim(name string) *shim {
	sh := &shim{
		s: s, link: link.New(s.cloud), file: filepath.Join(s.t.TempDir(), "state"), end: func() {},
		front: front{name: name, log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo}).WithAttrs([]slog.Attr{slog.String("shim", name)}))},
	}
	sh.dead.Store(true)
	return sh
}

// minimums are the lowest ids that its brokers were told of.
func (sh *shim) minimums() []core.MinBrokerChange {
	sh.told.mu.Lock()
	defer sh.told.mu.Unlock()
	return sh.told.all
}

func (sh *shim) start() {
	t := sh.s.t
	client, err := api.New(api.Options{Endpoint: "http://api", Transport: traced{sh}, Log: sh.log})
	if err != nil {
		t.Fatal(err)
	}
	f, err := follow.New(follow.Options{Cloud: client, Gateway: sh.name, File: sh.file, Log: sh.log, NewID: sh.s.newID})
	if err != nil {
		t.Fatal(err)
	}
	local := core.New(memory.New(memory.WithClock(time.Now)), core.Options{NewID: sh.s.newID, Rules: rules})
	h := held.New(held.Options{
		Cloud: client, Session: f, Log: sh.log, Local: local,
		OnMinBroker: func(c core.MinBrokerChange) {
			sh.told.mu.Lock()
			defer sh.told.mu.Unlock()
			sh.told.all = append(sh.told.all, c)
		},
	})
	f.Listen(h)
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	loops.Go(func() { f.Run(ctx) })
	loops.Go(func() { h.Run(ctx) })
	sh.dead.Store(false)
	r := upstream.New(upstream.Options{Cloud: client, Held: h, Follow: f, Local: local})
	sh.serve(r, func(o *nameserver.Options) { o.Front = sh.name })
	sh.end = sync.OnceFunc(func() {
		sh.shut(t)
		cancel()
		loops.Wait()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

// kill ends it without a word to the cloud.
func (sh *shim) kill() {
	sh.dead.Store(true)
	sh.end()
}

func (sh *shim) stop() {
	sh.kill()
	sh.link.Close()
}
