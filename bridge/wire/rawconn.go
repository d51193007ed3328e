package wire

import (
	"net"
	"syscall"
)

// rawConn returns the syscall.RawConn of a pipe or a socket, or nil if conn is
// neither.
func rawConn(conn any) syscall.RawConn {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, _ := c.SyscallConn()
	return raw
}

// rawSocket returns the syscall.RawConn of the socket below conn, which may be a TLS
// connection, or nil if there is none.
func rawSocket(conn net.Conn) syscall.RawConn {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	return rawConn(conn)
}

// control runs f on the socket below conn.
func control(conn net.Conn, f func(fd uintptr)) {
	if raw := rawSocket(conn); raw != nil {
		raw.Control(f)
	}
}
