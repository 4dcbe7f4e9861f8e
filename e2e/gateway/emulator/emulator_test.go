//go:build e2e

package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/e2e/gateway"
	"signpost/e2e/gateway/emulator"
)

// options downloads the emulator once.
var options = sync.OnceValues(func() (o emulator.Options, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if o.Emulator, err = emulator.Path(ctx, "../../.."); err != nil {
		return o, err
	}
	return o, err
})

func start(t *testing.T, change func(*emulator.Options)) *emulator.Function {
	t.Helper()
	o, err := options()
	if err != nil {
		t.Fatal(err)
	}
	o.Binary = filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", o.Binary, "./testdata/stub").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if change != nil {
		change(&o)
	}
	f := emulator.New(o)
	t.Cleanup(func() {
		f.Close()
		if t.Failed() {
			t.Log(f.Output())
		}
	})
	return f
}

func invoke(t *testing.T, f *emulator.Function, event string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := f.Invoke(ctx, []byte(event))
	return string(answer), err
}

func answered(t *testing.T, f *emulator.Function, event string) {
	t.Helper()
	if got, err := invoke(t, f, event); err != nil || got != event {
		t.Errorf("%s: %s, %v", event, got, err)
	}
}

func TestAnEventIsAnswered(t *testing.T) {
	f := start(t, func(o *emulator.Options) { o.Env, o.Memory = []string{"OWN=1"}, 512 })
	answered(t, f, `{"a":1}`)
	answered(t, f, `{"a":2}`)
	await(t, f, "INVOKE RTDONE", 2) // which it tells after it has answered
	if lines := f.Lines(); !slices.Equal(lines, []string{`{"msg":"started","memory":"512","own":"1"}`}) {
		t.Errorf("the function's lines are %q", lines)
	}
	if got := f.Timings(); len(got.Inits) != 1 || len(got.Invokes) != 2 || got.Inits[0] <= 0 || got.Invokes[0] <= 0 {
		t.Errorf("timings are %v", got)
	}
	if f.Instances() != 1 {
		t.Errorf("%d instances", f.Instances())
	}
}

func TestAFailureIsNoAnswer(t *testing.T) {
	f := start(t, func(o *emulator.Options) { o.Timeout = time.Second })
	for event, want := range map[string]string{
		`"fail"`: "errorString", `"exit"`: "Runtime.ExitError", `"big"`: "Function.ResponseSizeTooLarge", `"sleep"`: "Sandbox.Timedout",
	} {
		answer, err := invoke(t, f, event)
		var failed *emulator.FailedError
		if !errors.As(err, &failed) || failed.Type != want {
			t.Errorf("%s: %v, want %s (%.80s)", event, err, want, answer)
		}
		answered(t, f, `"after"`)
	}
}

func TestLargeEventsArriveWhole(t *testing.T) {
	f := start(t, nil)
	event := `"` + string(bytes.Repeat([]byte("a"), 6<<20-2)) + `"`
	if got, err := invoke(t, f, event); err != nil || got != event {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestConcurrencyIsOneInstanceEach(t *testing.T) {
	f := start(t, func(o *emulator.Options) { o.Concurrency = 2 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := f.Invoke(ctx, []byte(`"sleep"`))
			done <- err
		}()
	}
	await(t, f, "INVOKE START", 2)
	if _, err := invoke(t, f, `"third"`); !errors.Is(err, gateway.ErrThrottled) {
		t.Errorf("two instances sleep, and a third event: %v", err)
	}
	cancel()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if f.Instances() != 2 {
		t.Errorf("who stopped waiting stopped the function: %d instances", f.Instances())
	}
}

// await waits until the output has that text n times.
func await(t *testing.T, f *emulator.Function, text string, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); strings.Count(f.Output(), text) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not written %d times", text, n)
		}
	}
}

func TestKilledInTheMiddle(t *testing.T) {
	f := start(t, nil)
	done := make(chan error, 1)
	go func() {
		_, err := invoke(t, f, `"sleep"`)
		done <- err
	}()
	await(t, f, "INVOKE START", 1)
	f.Kill9()
	if err := <-done; err == nil {
		t.Error("a killed function answered")
	}
	answered(t, f, `"after"`)
	if got := f.Timings(); len(got.Inits) != 2 {
		t.Errorf("%d inits", len(got.Inits))
	}
}
