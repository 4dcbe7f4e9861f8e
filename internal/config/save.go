package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/magiconair/properties"
)

// backupSuffix ends the name of the file's previous content, as in Java.
const backupSuffix = ".bak"

// saveChanges puts changes into the properties file at path, and leaves all
// else of it as it is, comments too (Java writes the whole file anew). It
// returns when the new content is on disk; the old is kept in path.bak. A crash
// leaves the one or the other.
func saveChanges(path string, changes map[string]string) error {
	// Renaming onto a link would replace the link and not what it names.
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	old, err := readBounded(target)
	if err != nil {
		return err
	}
	edited, err := editProperties(old, changes)
	if err != nil {
		return err
	}
	if err := replaceFile(path+backupSuffix, old, info.Mode().Perm()); err != nil {
		return err
	}
	return replaceFile(target, edited, info.Mode().Perm())
}

// editProperties sets keys in a properties text: in the line that counts, the
// last one of the key, or in a new line at the end.
func editProperties(text []byte, changes map[string]string) ([]byte, error) {
	lines := logicalLines(text)
	last := make(map[string]int, len(changes))
	for i, l := range lines {
		entry, err := parseProperties(text[l.start:l.end], properties.ISO_8859_1)
		if err != nil {
			return nil, err
		}
		for key := range entry {
			last[key] = i
		}
	}
	replaced := make(map[int]string, len(changes))
	var added strings.Builder
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		line := formatProperty(key, changes[key])
		if i, ok := last[key]; ok {
			replaced[i] = line
		} else {
			added.WriteString(line)
		}
	}
	var out []byte
	copied := 0
	for i, l := range lines {
		if line, ok := replaced[i]; ok {
			out = append(append(out, text[copied:l.start]...), line...)
			copied = l.end
		}
	}
	out = append(out, text[copied:]...)
	if added.Len() > 0 {
		out = append(endLine(out), added.String()...)
	}
	if len(out) > maxPropertiesBytes {
		return nil, errTooLong
	}
	return out, nil
}

// endLine completes the last line of a text, also where a backslash joins it
// with one that does not come.
func endLine(text []byte) []byte {
	if len(text) == 0 {
		return text
	}
	trimmed := strings.TrimRight(string(text), "\r\n")
	if strings.HasSuffix(trimmed, `\`) {
		return append(text, "\n\n"...)
	}
	if len(trimmed) == len(text) {
		return append(text, '\n')
	}
	return text
}

// formatProperty is a line that java.util.Properties reads as key and value.
func formatProperty(key, text string) string {
	var b strings.Builder
	escapeProperty(&b, key, " :=#!")
	b.WriteByte('=')
	if strings.HasPrefix(text, " ") {
		b.WriteByte('\\')
	}
	escapeProperty(&b, text, "")
	b.WriteByte('\n')
	return b.String()
}

func escapeProperty(b *strings.Builder, text, special string) {
	for _, r := range text {
		switch {
		case r == '\\' || strings.ContainsRune(special, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(b, `\u%04x`, unit)
			}
		}
	}
}

// replaceFile puts data under path in one step and syncs it.
func replaceFile(path string, data []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// The write has failed already; a leftover does no harm.
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Not every file system syncs directories; the content is safe by now.
	_ = d.Sync()
	return d.Close()
}
