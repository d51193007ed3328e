//go:build !linux

package wire

import (
	"net"
	"time"
)

// These systems are not asked: a lost remote end is noticed by reading, by a failed
// write or by a missing pong.

// SendBufferPart is how many times larger than its send buffer the history of a
// resumable client is. It is large here: what the kernel holds counts as not
// acknowledged, and a message takes more room in the history than as frames.
const SendBufferPart = 32

// Unsent returns 0: the kernel is not asked here.
func Unsent(net.Conn) int                   { return 0 }
func limitUnsent(net.Conn, int) bool        { return false }
func hostGone(net.Conn, time.Duration) bool { return false }
func hungUp(uintptr) bool                   { return false }
