package scenario

import (
	"encoding/binary"
	"fmt"
	"regexp"
)

// Mask replaces in an answer what differs from run to run (a port, the time
// of day), so that recordings are reproducible. It is part of the golden file.
type Mask struct {
	Pattern *regexp.Regexp
	With    string // as in regexp.ReplaceAll
}

// The masks in use.
var (
	// maskPort hides the port that a NameServer lists in its configuration.
	maskPort = Mask{regexp.MustCompile(`(?m)^listenPort=\d+$`), "listenPort=0"}
	// maskNow hides the time of day that a server puts into the DataVersion
	// of a registration without one.
	maskNow = Mask{regexp.MustCompile(`"timestamp":1[6-9]\d{11}\b`), `"timestamp":0`}
	// maskOpaque hides the number that a server gives to its own requests.
	maskOpaque = Mask{regexp.MustCompile(`"opaque":\d+`), `"opaque":0`}
)

// frameParts splits a whole frame into the byte that says the encoding, the
// header and the body.
func frameParts(frame []byte) (enc byte, header, body []byte, err error) {
	if len(frame) < 8 || int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		return 0, nil, nil, fmt.Errorf("%d bytes are no whole frame", len(frame))
	}
	n := int(binary.BigEndian.Uint32(frame[4:]) & 0xFFFFFF)
	if n > len(frame)-8 {
		return 0, nil, nil, fmt.Errorf("header of %d bytes in a frame of %d", n, len(frame))
	}
	return frame[4], frame[8 : 8+n], frame[8+n:], nil
}

// joinFrame is the opposite of frameParts.
func joinFrame(enc byte, header, body []byte) []byte {
	f := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(body)))
	f = binary.BigEndian.AppendUint32(f, uint32(enc)<<24|uint32(len(header)))
	f = append(f, header...)
	return append(f, body...)
}

// apply returns the frame with the masks applied to header and body. What is
// no frame stays as it is.
func apply(masks []Mask, frame []byte) []byte {
	if len(masks) == 0 || frame == nil {
		return frame
	}
	enc, header, body, err := frameParts(frame)
	if err != nil {
		return frame
	}
	for _, m := range masks {
		header = m.Pattern.ReplaceAll(header, []byte(m.With))
		body = m.Pattern.ReplaceAll(body, []byte(m.With))
	}
	return joinFrame(enc, header, body)
}
