package nameserver

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpEstablished is the state of a connection that neither side has closed
// (TCP_ESTABLISHED in Linux's net/tcp_states.h).
const tcpEstablished = 1

// hasLeft says whether the peer has closed the connection, though what it sent
// before may not be read yet. It is false where that cannot be known.
func hasLeft(nc net.Conn) bool {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	left := false
	_ = raw.Control(func(fd uintptr) { // fails if it is closed here
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		left = err == nil && info.State != tcpEstablished
	})
	return left
}
