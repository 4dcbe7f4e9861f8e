package advertise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// pollInterval is the time between two looks at a file.
const pollInterval = 500 * time.Millisecond

// File is the table in a file that may be changed at any time. It is for
// concurrent use, except Run, which runs once.
type File struct {
	path  string
	log   *slog.Logger
	table atomic.Pointer[Table]

	reloads, failures atomic.Uint64

	seen, judged state // of the file, at the last look and when it was last parsed; for Open and Run
}

// state is the text of a file, or why it cannot be read.
type state struct{ text, failure string }

// Open reads the file. The error lists everything that is wrong with it.
func Open(path string, log *slog.Logger) (*File, error) {
	f := &File{path: path, log: log}
	f.seen = f.look()
	table, err := f.seen.parse()
	if err != nil {
		return nil, fmt.Errorf("address map %s: %w", path, err)
	}
	f.judged = f.seen
	f.take(table)
	return f, nil
}

// For returns how addresses are shown to that peer, nil if as they are.
func (f *File) For(peer netip.Addr) *Mapping { return f.table.Load().For(peer) }

// Stats is what a File counts.
type Stats struct {
	Reloads  uint64 // times that a changed file was taken into use
	Failures uint64 // times that the file changed to what cannot be used
}

// Stats returns the counts.
func (f *File) Stats() Stats { return Stats{Reloads: f.reloads.Load(), Failures: f.failures.Load()} }

// Run looks at the file twice a second until ctx ends, and takes what has
// changed into use for all answers from then on. A file that is broken changes
// nothing. What has changed counts when the next look finds it the same, for
// half of a file may be well formed.
func (f *File) Run(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.poll()
		}
	}
}

func (f *File) poll() {
	before := f.seen
	f.seen = f.look()
	if f.seen != before || f.seen == f.judged {
		return
	}
	f.judged = f.seen
	table, err := f.seen.parse()
	if err != nil {
		f.failures.Add(1)
		f.log.Error("address map cannot be used: the one before stays in use", "file", f.path, "error", err)
		return
	}
	f.reloads.Add(1)
	f.take(table)
}

func (f *File) take(table *Table) {
	f.table.Store(table)
	f.log.Info("address map loaded", "file", f.path, "sections", len(table.mappings))
}

// look reads the file, a byte more than it may have at most.
func (f *File) look() state {
	file, err := os.Open(f.path)
	if err == nil {
		defer file.Close()
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(file, maxFile+1)); err == nil {
			return state{text: string(text)}
		}
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err // without the path, which the caller names
	}
	return state{failure: err.Error()}
}

func (s state) parse() (*Table, error) {
	if s.failure != "" {
		return nil, Faults{{What: s.failure}}
	}
	return Parse([]byte(s.text))
}
