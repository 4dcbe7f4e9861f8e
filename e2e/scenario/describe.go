package scenario

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"signpost/internal/remoting"
)

// maxInflated bounds what describe shows of a deflated body, in bytes.
const maxInflated = 1 << 20

type described struct{ key, value string }

// describe tells for people what is in a frame. Bytes that are no frame, as
// in scenarios about broken ones, are told as text.
func describe(frame []byte) []described {
	if frame == nil {
		return nil
	}
	var cmd remoting.Command
	if _, _, _, err := frameParts(frame); err != nil || remoting.DecodeFrame(frame[4:], &cmd) != nil {
		return []described{{"bytes", strconv.QuoteToASCII(string(frame[:min(len(frame), 256)]))}}
	}
	d := []described{{"header", headerText(&cmd)}}
	switch {
	case cmd.Body == nil:
	case plain(cmd.Body):
		d = append(d, described{"body", string(cmd.Body)})
	default:
		if text, err := inflate(cmd.Body); err == nil {
			d = append(d, described{"inflated", strconv.Quote(string(text))})
		} else {
			d = append(d, described{"quoted", strconv.Quote(string(cmd.Body))})
		}
	}
	return d
}

// headerText is a header in the form of a JSON object, keys in alphabetical
// order, after the name of its encoding.
func headerText(cmd *remoting.Command) string {
	h := map[string]any{"code": cmd.Code, "opaque": cmd.Opaque, "flag": cmd.Flag, "version": cmd.Version}
	if cmd.Language != "" {
		h["language"] = cmd.Language
	}
	if cmd.Remark != "" {
		h["remark"] = cmd.Remark
	}
	if cmd.ExtFields != nil {
		h["extFields"] = fieldMap(cmd.ExtFields)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(h); err != nil {
		return err.Error() // unreachable: strings and numbers only
	}
	return fmt.Sprintf("%v %s", cmd.Encoding, strings.TrimSpace(b.String()))
}

func fieldMap(fields remoting.Fields) map[string]string {
	m := make(map[string]string, len(fields))
	for _, f := range fields {
		m[f.Key] = f.Value
	}
	return m
}

// plain reports whether b can stand in a line of text and be read there.
func plain(b []byte) bool {
	return utf8.Valid(b) && !slices.ContainsFunc([]rune(string(b)), func(r rune) bool { return !unicode.IsPrint(r) })
}

func inflate(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxInflated))
}
