package core_test

import (
	"context"
	"errors"
	"testing"

	"signpost/core"
	"signpost/internal/memory"
)

// Within one process the writers of a group wait for each other, and are not
// told to come again.
func TestWritersOfOneProcessTakeTurns(t *testing.T) {
	store := newFaulty(memory.New())
	w := newWorldOver(t, store)
	b := a("b1", 0, "a", "T", "U")
	done := make(chan error)
	waits := make(chan struct{})
	store.before("WriteTopics", 1, func() {
		other := a("b2", 0, "z", "T", "U")
		w.register(other) // of another group: at once
		go func() {
			ctx := core.WithWaiting(w.ctx, func() func() { close(waits); return func() {} })
			_, err := w.Register(ctx, w.now, b.only("V", "W").registration())
			done <- err
		}()
		<-waits

		ctx, cancel := context.WithCancelCause(w.ctx)
		enough := errors.New("enough")
		cancel(enough)
		_, err := w.Register(ctx, w.now, b.only("X", "Y").registration())
		w.refused(err, enough)
	})
	w.register(b)
	w.must(<-done)
	w.equal("topics", w.topics(core.AllTopics, ""), "T U V W")
}
