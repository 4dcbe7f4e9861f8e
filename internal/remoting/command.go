package remoting

import "strings"

// Encoding is the way in which a frame's header is written. Peers choose it
// for each frame.
type Encoding uint8

// The encodings, with the numbers of the frame's fifth byte (Java:
// SerializeType).
const (
	EncodingJSON   Encoding = 0
	EncodingBinary Encoding = 1
)

// String returns RocketMQ's name of the encoding.
func (e Encoding) String() string {
	switch e {
	case EncodingJSON:
		return "JSON"
	case EncodingBinary:
		return "ROCKETMQ"
	}
	return "unknown"
}

// Bits of [Command.Flag].
const (
	FlagResponse = 1 << 0
	FlagOneway   = 1 << 1
)

// serverLanguage is what replies say. Clients look for a Java server's, and
// some that are not written in Java know few names.
const serverLanguage = "JAVA"

// Field is one of a header's extFields: a parameter of the request or a result
// in the response.
type Field struct{ Key, Value string }

// Fields are a header's extFields in the order of the wire. Nil means that the
// header has none; empty but not nil that it has an empty object, which only
// JSON can tell apart.
type Fields []Field

// Get returns the value of key and whether it is there. Of duplicates the last
// one counts, as in a Java map. A field that was sent as null is not there, nor
// is one sent with a length of zero in the binary encoding.
func (f Fields) Get(key string) (string, bool) {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].Key == key {
			return f[i].Value, true
		}
	}
	return "", false
}

// Command is one frame: a request or a response (Java: RemotingCommand).
//
// The strings of a decoded command share the memory of its header; who keeps
// one for long should clone it. They are valid UTF-8: what is not was replaced
// by U+FFFD, as Java does.
type Command struct {
	Code Code

	// Language is the name of the sender's language, such as JAVA or CPP;
	// empty when it sent none or one that RocketMQ does not know.
	Language string

	// Version is the sender's release, see V4_9_4 and its likes.
	Version int32

	// Opaque pairs a response with its request. Any value is fine.
	Opaque int32

	// Flag holds the bits behind IsResponse and IsOneway. Peers set others
	// too, without a meaning.
	Flag int32

	// Remark is a text for humans, mostly the reason of an error.
	Remark string

	ExtFields Fields

	// Body is nil when the frame has none; a body of no bytes does not exist.
	Body []byte

	// Encoding is how the header was, or shall be, written.
	Encoding Encoding
}

// IsResponse reports whether c answers a request.
func (c *Command) IsResponse() bool { return c.Flag&FlagResponse != 0 }

// IsOneway reports whether c is a request that must not be answered.
func (c *Command) IsOneway() bool { return c.Flag&FlagOneway != 0 }

// Keep gives c strings of its own; see [Reader.Passing].
func (c *Command) Keep() {
	c.Language, c.Remark = strings.Clone(c.Language), strings.Clone(c.Remark)
	for i, f := range c.ExtFields {
		c.ExtFields[i] = Field{strings.Clone(f.Key), strings.Clone(f.Value)}
	}
}

// Reply returns the beginnings of an answer to c: the code, and what every
// answer takes over or says. The request's encoding is kept; its flags are not.
func (c *Command) Reply(code Code) Command {
	return Command{
		Code:     code,
		Language: serverLanguage,
		Version:  ServerVersion,
		Opaque:   c.Opaque,
		Flag:     FlagResponse,
		Encoding: c.Encoding,
	}
}

// reset empties c for decoding and returns its fields' memory for reuse.
func (c *Command) reset(enc Encoding) (spare Fields) {
	spare = c.ExtFields[:0]
	*c = Command{Encoding: enc}
	return spare
}

// languages are the names by their number in the binary encoding (Java:
// LanguageCode).
var languages = [...]string{
	"JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS",
	"RUST",    // since 4.9
	"NODE_JS", // since 5.0
}

// noLanguage is a number that no release knows, so that all read it as none.
const noLanguage = 0xff

func languageName(n byte) string {
	if int(n) < len(languages) {
		return languages[n]
	}
	return ""
}

func languageNumber(name string) byte {
	for i, l := range languages {
		if l == name {
			return byte(i)
		}
	}
	return noLanguage
}

// add appends one field, with room for those of a usual request.
func (f Fields) add(key, value string) Fields {
	if cap(f) == 0 {
		f = make(Fields, 0, 12)
	}
	return append(f, Field{key, value})
}

// present turns the absent fields into the empty ones.
func (f Fields) present() Fields {
	if f == nil {
		return Fields{}
	}
	return f
}
