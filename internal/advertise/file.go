package advertise

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"

	"signpost/internal/livefile"
)

// File is the table in a file that may be changed at any time. It is for
// concurrent use, except Run, which runs once.
type File struct {
	path  string
	log   *slog.Logger
	table atomic.Pointer[Table]

	reloads, failures atomic.Uint64

	file *livefile.File // for Open and Run
}

// Open reads the file. The error lists everything that is wrong with it.
func Open(path string, log *slog.Logger) (*File, error) {
	file, text, err := livefile.Open(path, maxFile)
	table, err := parse(text, err)
	if err != nil {
		return nil, fmt.Errorf("address map %s: %w", path, err)
	}
	f := &File{path: path, log: log, file: file}
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
// changed into use for all answers from then on; see livefile. A file that is
// broken changes nothing.
func (f *File) Run(ctx context.Context) { f.file.Run(ctx, livefile.Interval, f.changed) }

func (f *File) changed(text []byte, err error) {
	table, err := parse(text, err)
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

func parse(text []byte, err error) (*Table, error) {
	if err != nil {
		return nil, livefile.Faults{{What: err.Error()}}
	}
	return Parse(text)
}
