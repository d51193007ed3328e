//go:build !linux

package wire

import (
	"net"
	"time"
)

// Elsewhere the kernel is not asked: a peer that is gone is noticed by reading,
// by a failed write or by a missing pong.

// SendBufferPart is how many send buffers of a client that may come back hold as
// much as is held for it: what is not acknowledged must be held, and a message
// costs more there than on the wire.
const SendBufferPart = 32

func Unsent(net.Conn) int                   { return 0 }
func limitUnsent(net.Conn, int) bool        { return false }
func hostGone(net.Conn, time.Duration) bool { return false }
func hungUp(uintptr) bool                   { return false }
