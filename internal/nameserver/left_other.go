//go:build !linux

package nameserver

import "net"

// hasLeft would say whether the peer has closed the connection.
func hasLeft(net.Conn) bool { return false }
