package remoting

import "strings"

// maxUsualFields is more than the headers have for which speed counts.
const maxUsualFields = 32

// decodeUsualJSON reads a header that is written to the letter as RocketMQ's
// own encoder does (Java: RemotingCommand with fastjson), in ASCII without
// escapes and without a remark: nearly all requests. It reports false if it is
// not, and decodeJSON has to read it; where it reports true the two agree.
func decodeUsualJSON(s string, c *Command, spare Fields) bool {
	u := usual{s: s}
	u.literal(`{"code":`)
	code := u.int32()
	var fields Fields
	if u.literalIf(`,"extFields":{`) {
		fields = u.fields(spare)
	}
	// What Java's clients say is compared in one piece.
	flag, language := int32(0), "JAVA"
	if !u.literalIf(`,"flag":0,"language":"JAVA","opaque":`) {
		u.literal(`,"flag":`)
		flag = u.int32()
		u.literal(`,"language":"`)
		language = u.text()
		u.literal(`,"opaque":`)
	}
	opaque := u.int32()
	if !u.literalIf(`,"serializeTypeCurrentRPC":"JSON","version":`) {
		u.literal(`,"serializeTypeCurrentRPC":"`)
		u.text()
		u.literal(`,"version":`)
	}
	version := u.int32()
	u.literal(`}`)
	if u.unusual || u.s != "" {
		return false
	}
	if language != "JAVA" {
		language = languageName(languageNumber(language))
	}
	c.Code, c.Flag, c.Language, c.Opaque, c.Version, c.ExtFields = Code(code), flag, language, opaque, version, fields
	return true
}

// usual reads s from its front. After the first surprise it reads nothing more.
type usual struct {
	s       string
	unusual bool
}

func (u *usual) literalIf(want string) bool {
	if !strings.HasPrefix(u.s, want) {
		return false
	}
	u.s = u.s[len(want):]
	return true
}

func (u *usual) literal(want string) {
	if !u.literalIf(want) {
		u.unusual = true
		u.s = ""
	}
}

// int32 reads an integer.
func (u *usual) int32() int32 {
	s, negative := u.s, false
	if len(s) > 0 && s[0] == '-' {
		s, negative = s[1:], true
	}
	i, n := 0, int64(0)
	for i < len(s) && i < 10 && s[i]-'0' <= 9 {
		n = n*10 + int64(s[i]-'0')
		i++
	}
	u.s = s[i:]
	if negative {
		n = -n
	}
	if i == 0 || int64(int32(n)) != n {
		u.unusual = true
	}
	return int32(n)
}

// text reads the rest of a string and its closing quote.
func (u *usual) text() string {
	end := strings.IndexByte(u.s, '"')
	if end < 0 || !plain(u.s[:end]) {
		u.unusual = true
		return ""
	}
	text := u.s[:end]
	u.s = u.s[end+1:]
	return text
}

// plain says whether s, which has no quote, stands for itself in JSON: ASCII
// without control characters and backslashes.
func plain(s string) bool {
	// Eight characters at a time: none is above 0x7f, nor gets there when it is
	// one more, or 0x20 less, or one less than its difference to a backslash.
	const each, top = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (w|(w+each)|(w-' '*each)|((w^'\\'*each)-each))&top != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '\\' {
			return false
		}
	}
	return true
}

// fields reads the members of extFields and its closing brace.
func (u *usual) fields(spare Fields) Fields {
	fields := spare.present()
	if u.literalIf(`}`) {
		return fields
	}
	for range maxUsualFields {
		u.literal(`"`)
		key := u.text()
		u.literal(`:"`)
		value := u.text()
		if u.unusual {
			return nil
		}
		fields = fields.add(key, value)
		if u.literalIf(`}`) {
			return fields
		}
		u.literal(`,`)
	}
	u.unusual = true
	return nil
}
