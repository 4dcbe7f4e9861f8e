package memory

import (
	"encoding/binary"
	"unsafe"
)

// InterceptCommits puts do around every transaction that writes the file.
func (s *Store) InterceptCommits(do func(write func() error) error) {
	write := s.disk.write
	s.disk.write = func(dirty map[item][]byte) error {
		return do(func() error { return write(dirty) })
	}
}

// NewestFormat is the format that Open makes.
const NewestFormat = newestFormat

// FormatRecord returns the record that says of what format a file is.
func FormatRecord(format uint64) []byte {
	return seal(formatKey, binary.AppendUvarint(nil, format))
}

// stringData tells copies of a string apart.
func stringData(s string) *byte { return unsafe.StringData(s) }
