//go:build !linux

package bridge

import (
	"net"
	"time"
)

// Elsewhere the kernel is not asked: a peer that is gone is noticed by reading,
// by a failed write or by a missing pong.

// sendBufferPart is how many send buffers of a client that may come back hold as
// much as is held for it: what is not acknowledged must be held, and a message
// costs more there than on the wire.
const sendBufferPart = 32

func unsent(net.Conn) int                   { return 0 }
func limitUnsent(net.Conn, int) bool        { return false }
func hostGone(net.Conn, time.Duration) bool { return false }
func hungUp(uintptr) bool                   { return false }
