// Package remoting speaks RocketMQ's remoting protocol: frames, their two
// header encodings, the request and response codes of a NameServer, and the
// version ordinals that change its answers.
//
// A frame, all integers big endian:
//
//	offset  size  meaning
//	0       4     length: 4 + header + body, itself not included
//	4       1     encoding of the header: 0 JSON, 1 binary ("ROCKETMQ")
//	5       3     header length
//	8       h     header
//	8+h     b     body, may be absent
//
// A connection carries frames in both directions, requests and responses are
// paired by [Command.Opaque], and responses may come in any order.
//
// The package knows bytes and structs only: no sockets, no logging, no route
// model. It allocates memory in the measure in which bytes arrive, never in
// the measure that a peer promises.
package remoting

import "errors"

// Limits on what a peer may send. All count bytes.
const (
	// DefaultFrameLimit is the longest whole frame, its 4 length bytes
	// included, that a Java server takes unless configured otherwise
	// (NettyDecoder, com.rocketmq.remoting.frameMaxLength).
	DefaultFrameLimit = 16 << 20

	// MaxFrame bounds every frame, whatever a Reader's limit function says.
	// It is what a length field may announce before the code of the request
	// is known; registrations of brokers with very many topics need more
	// than DefaultFrameLimit.
	MaxFrame = 64 << 20

	// MaxHeader bounds the header of a frame. The widest headers that peers
	// send carry a value of the key-value configuration, which is far
	// smaller; the field itself could announce 16 MiB.
	MaxHeader = 1 << 20

	// maxFields bounds the number of extFields in one header, because a
	// field takes more memory decoded than encoded. Real headers have less
	// than 20.
	maxFields = 1024

	// maxDepth bounds the nesting of JSON values that are skipped.
	maxDepth = 64
)

// Errors that end a connection: after any of them the position of the next
// frame is unknown. Each is wrapped with the values that explain it.
var (
	// ErrBadLength: the length field is negative, smaller than the 4 bytes
	// that every frame has, or smaller than the header it announces.
	ErrBadLength = errors.New("remoting: bad frame length")

	// ErrFrameTooLong: the frame is longer than MaxFrame, or longer than the
	// Reader's limit for its code.
	ErrFrameTooLong = errors.New("remoting: frame too long")

	// ErrHeaderTooLong: the header is longer than MaxHeader.
	ErrHeaderTooLong = errors.New("remoting: header too long")

	// ErrBadEncoding: the encoding byte is neither JSON nor binary.
	ErrBadEncoding = errors.New("remoting: unknown header encoding")

	// ErrBadHeader: the header cannot be decoded.
	ErrBadHeader = errors.New("remoting: bad header")

	// ErrForeignProtocol: the first bytes are those of another protocol, such
	// as HTTP or TLS; the message says which.
	ErrForeignProtocol = errors.New("remoting: not a RocketMQ frame")

	// ErrBadProxyHeader: the connection starts with the signature of the
	// PROXY protocol, and what follows does not obey it.
	ErrBadProxyHeader = errors.New("remoting: bad PROXY protocol header")
)
