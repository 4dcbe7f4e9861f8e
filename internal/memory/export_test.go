package memory

// InterceptCommits puts do around every transaction that writes the file.
func (s *Store) InterceptCommits(do func(write func() error) error) {
	write := s.disk.write
	s.disk.write = func(dirty map[item][]byte) error {
		return do(func() error { return write(dirty) })
	}
}
