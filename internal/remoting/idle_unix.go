//go:build unix

package remoting

import (
	"io"
	"os"
	"syscall"
)

const canReadNow = true

// readNow reads a descriptor that does not block. The error is errNothing if
// there is nothing to read.
func readNow(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, errNothing
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
