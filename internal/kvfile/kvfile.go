// Package kvfile reads and writes a NameServer's KV file, kvConfig.json, in
// the format of Java's KVConfigManager:
//
//	{"configTable":{"ORDER_TOPIC_CONFIG":{"topic":"b1:4;b2:4"},"ns":{}}}
//
// The file may come from any Java NameServer and may go back to one, so Load
// takes what Java's JSON reader takes, and Save writes what all versions read.
// Where Java rewrites the file in place (5.x) or deletes it before the new one
// is there (4.x), Save lets a crash at any moment leave either the old or the
// new content, whole.
package kvfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"
)

// MaxSize is the largest file, in bytes, that Load reads and Save writes.
const MaxSize = 64 << 20

// backupSuffix ends the name of the previous content, as in Java.
const backupSuffix = ".bak"

// CorruptError says that a KV file is there but does not hold a KV table.
// Nothing has been done to the file.
type CorruptError struct {
	Path   string // as given to Load
	Offset int64  // of the first byte that does not fit, from 0
	Reason string
	Backup string // path of the previous content; empty if there is none
}

func (e *CorruptError) Error() string {
	text := fmt.Sprintf("KV file %s: byte %d: %s", e.Path, e.Offset, e.Reason)
	if e.Backup != "" {
		text += "; the content before it is in " + e.Backup
	}
	return text
}

// Load reads the table, namespace -> key -> value, from the file at path. The
// result is never nil without an error.
//
// A missing file is an empty table, and so are a blank file without a backup,
// the word null and a missing configTable, as Java has it. Null namespaces,
// keys and values are left out, numbers and booleans become text. A blank
// file beside a backup is what an interrupted save of Java 5.x leaves, and
// counts as corrupt: starting from it would lose the operator's settings.
//
// The error is a *CorruptError if the content is at fault.
func Load(path string) (map[string]map[string]string, error) {
	data, err := read(path, MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load KV file: %w", err)
	}
	backup := findBackup(path)
	if backup == "" && len(bytes.TrimSpace(data)) == 0 {
		return map[string]map[string]string{}, nil
	}
	table, err := parse(data)
	if fault := (*syntaxError)(nil); errors.As(err, &fault) {
		return nil, &CorruptError{Path: path, Offset: int64(fault.offset), Reason: fault.reason, Backup: backup}
	}
	return table, err
}

// read returns the content, of at most limit bytes, of the regular file at
// path. Other kinds are refused: a FIFO would block, and Save would replace a
// device.
func read(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d bytes", limit)}
	}
	return data, nil
}

// findBackup returns the path of a backup of path that holds something.
func findBackup(path string) string {
	info, err := os.Stat(path + backupSuffix)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return ""
	}
	return path + backupSuffix
}

// firstInvalid returns the offset of the first byte of data that is not
// UTF-8, or -1.
func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
