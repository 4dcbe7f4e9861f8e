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
	u.literal(`,"flag":`)
	flag := u.int32()
	u.literal(`,"language":"`)
	language := u.text()
	u.literal(`,"opaque":`)
	opaque := u.int32()
	u.literal(`,"serializeTypeCurrentRPC":"`)
	u.text()
	u.literal(`,"version":`)
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
	for i := 0; i < len(u.s); i++ {
		switch b := u.s[i]; {
		case b == '"':
			text := u.s[:i]
			u.s = u.s[i+1:]
			return text
		case b < ' ' || b == '\\' || b >= 0x7f:
			u.unusual = true
			return ""
		}
	}
	u.unusual = true
	return ""
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
