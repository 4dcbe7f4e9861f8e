// Package livefile follows a file that may be changed while the program runs, and
// has a form for what is wrong with one.
package livefile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Interval is the time between two looks at a file.
const Interval = 500 * time.Millisecond

// File is one file of at most so many bytes. One goroutine uses it.
type File struct {
	path string
	most int

	seen, judged digest // at the last look, and when it was handed out last
}

// digest is the state of a file: of its text, or of why it cannot be read.
type digest [sha256.Size]byte

func digestOf(text []byte, err error) digest {
	if err != nil {
		return sha256.Sum256([]byte("unreadable: " + err.Error()))
	}
	return sha256.Sum256(append([]byte("text: "), text...))
}

// Open reads the file as it is now. The error does not name it.
func Open(path string, most int) (*File, []byte, error) {
	f := &File{path: path, most: most}
	text, err := f.read()
	f.seen = digestOf(text, err)
	f.judged = f.seen
	return f, text, err
}

// Run looks at the file at each interval until ctx ends, and tells what has
// changed: its text, or why it cannot be read.
//
// The file is read whole each time: neither times nor links need be believed,
// so that it works where files are written, renamed or swapped by link. What
// has changed counts when the next look finds it the same, for half of a file
// may be well formed.
func (f *File) Run(ctx context.Context, interval time.Duration, changed func(text []byte, err error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.Poll(changed)
		}
	}
}

// Poll looks once.
func (f *File) Poll(changed func(text []byte, err error)) {
	text, err := f.read()
	state, before := digestOf(text, err), f.seen
	f.seen = state
	if state != before || state == f.judged {
		return
	}
	f.judged = state
	changed(text, err)
}

// read reads the whole file, if it is not too long.
func (f *File) read() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, cause(err)
	}
	defer file.Close() //nolint:errcheck // only read from
	text, err := io.ReadAll(io.LimitReader(file, int64(f.most)+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(text) > f.most {
		return nil, fmt.Errorf("is longer than %d bytes", f.most)
	}
	return text, nil
}

// cause leaves the path out.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
