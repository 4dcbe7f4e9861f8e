package wire

// maxDepth bounds the nesting of a value that is skipped; nothing that is read
// nests deeper than its own type. (fastjson gives up at 512; RocketMQ needs 7.)
const maxDepth = 64

// skip passes over a value.
func (s *scanner) skip() {
	switch c := s.peek(); c {
	case '"', '\'':
		s.skipQuoted(c)
	case '{', '[':
		s.skipNested()
	default:
		s.word()
	}
}

func (s *scanner) skipQuoted(quote byte) {
	for i := s.pos + 1; i < len(s.b); i++ {
		switch s.b[i] {
		case quote:
			s.pos = i + 1
			return
		case '\\':
			i++
		}
	}
	s.fail("is a string without an end")
}

// skipNested passes over an object or an array. The bits of open say which of
// the two each open level is.
func (s *scanner) skipNested() {
	var open uint64
	depth := 0
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case '{', '[':
			if depth++; depth > maxDepth {
				s.fail("nests too deep")
				return
			}
			open <<= 1
			if c == '{' {
				open |= 1
			}
		case '}', ']':
			if (c == '}') != (open&1 == 1) {
				s.fail("has brackets that do not match")
				return
			}
			open >>= 1
			if depth--; depth == 0 {
				s.pos++
				return
			}
		case '"', '\'':
			s.skipQuoted(c)
			continue
		}
		s.pos++
	}
	s.fail("has no end")
}
