package kvfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unicode/utf16"
	"unicode/utf8"
)

// tempSuffix ends the name of the file that is being written. A leftover of a
// crash is overwritten by the next Save.
const tempSuffix = ".tmp"

// newMode is the mode of a file that was not there before, less the umask.
const newMode fs.FileMode = 0o644

// Save writes table to the file at path, on one line, sorted, and returns when
// it is on disk. What the file held before is kept in path.bak,
// its mode stays, a symbolic link stays one, and missing directories are made.
// A crash at any moment leaves the old content or the new one. If the file
// holds the very same bytes already, nothing is written.
//
// Calls for one path must not overlap.
func Save(path string, table map[string]map[string]string) error {
	if err := save(realDisk{}, path, table); err != nil {
		return fmt.Errorf("save KV file: %w", err)
	}
	return nil
}

func save(d disk, path string, table map[string]map[string]string) error {
	data, err := encode(table, MaxSize)
	if err != nil {
		return err
	}
	// Renaming onto a link would replace the link and not what it names.
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	dir := filepath.Dir(target)
	previous, err := read(target, MaxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeDir(d, dir); err != nil {
			return err
		}
		if err := replace(d, target, data, 0); err != nil {
			return err
		}
	case err != nil:
		return err
	case bytes.Equal(previous, data):
		// Sync all the same: the write may be one whose sync failed.
	default:
		info, err := os.Stat(target)
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		if err := replace(d, path+backupSuffix, previous, mode); err != nil {
			return err
		}
		if err := replace(d, target, data, mode); err != nil {
			return err
		}
	}
	return d.SyncDir(dir)
}

// encode returns the JSON text of table, of at most limit bytes.
func encode(table map[string]map[string]string, limit int) ([]byte, error) {
	// fastjson leaves null members out; a namespace without keys is {}.
	whole := make(map[string]map[string]string, len(table))
	for namespace, entries := range table {
		if entries == nil {
			entries = map[string]string{}
		}
		whole[namespace] = entries
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"configTable": whole}); err != nil {
		return nil, err
	}
	data := escape(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	if len(data) > limit {
		return nil, fmt.Errorf("%d bytes are more than the %d a KV file may have", len(data), limit)
	}
	return data, nil
}

// escape writes the characters of JSON text that are not ASCII as \uXXXX, for
// 4.x reads the file in the character set of its platform, and all share that.
func escape(text []byte) []byte {
	escaped := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r < utf8.RuneSelf:
			escaped = append(escaped, text[0])
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		text = text[size:]
	}
	return escaped
}

// replace puts data under name in one step: at no time is there a part of it.
// A mode of 0 is that of a new file.
func replace(d disk, name string, data []byte, mode fs.FileMode) error {
	temp := name + tempSuffix
	if err := d.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := write(d, temp, data, mode)
	if err == nil {
		err = d.Rename(temp, name)
	}
	if err != nil {
		// The write has failed already; a leftover does no harm.
		_ = d.Remove(temp)
	}
	return err
}

// write makes a new file with data and syncs it.
func write(d disk, name string, data []byte, mode fs.FileMode) error {
	f, err := d.Create(name, newMode)
	if err != nil {
		return err
	}
	if mode != 0 {
		err = f.Chmod(mode) // not by Create, which applies the umask
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// makeDir makes dir and what is missing above it, and syncs each directory
// that got a new entry.
func makeDir(d disk, dir string) error {
	changed := []string{}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		changed = append(changed, filepath.Dir(at))
	}
	if len(changed) == 0 {
		return nil
	}
	if err := d.MkdirAll(dir); err != nil {
		return err
	}
	for _, parent := range changed {
		if err := d.SyncDir(parent); err != nil {
			return err
		}
	}
	return nil
}

// disk is what Save changes the file system with; tests let each of it fail.
type disk interface {
	// Create makes a file for writing; it is an error if name is there.
	Create(name string, mode fs.FileMode) (file, error)
	Rename(oldName, newName string) error
	Remove(name string) error
	MkdirAll(dir string) error
	// SyncDir makes the names in dir as durable as the files.
	SyncDir(dir string) error
}

type file interface {
	io.WriteCloser
	Chmod(mode fs.FileMode) error
	Sync() error
}

type realDisk struct{}

func (realDisk) Create(name string, mode fs.FileMode) (file, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (realDisk) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }
func (realDisk) Remove(name string) error             { return os.Remove(name) }
func (realDisk) MkdirAll(dir string) error            { return os.MkdirAll(dir, 0o755) }

func (realDisk) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system that does not sync directories
	}
	return errors.Join(err, f.Close())
}
