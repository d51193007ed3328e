package wire

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Unsent returns how many bytes the peer's kernel has not acknowledged
// (tcp(7), SIOCOUTQ).
func Unsent(conn net.Conn) (n int) {
	control(conn, func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}

// limitUnsent makes the kernel take more only while it has not yet sent less than n
// bytes, and reports whether it can (TCP_NOTSENT_LOWAT). Unlike a small send buffer
// that leaves room for all that a long way can carry.
func limitUnsent(conn net.Conn, n int) (ok bool) {
	control(conn, func(fd uintptr) {
		ok = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n) == nil
	})
	return ok
}

// SendBufferPart is how many send buffers of a client that may come back hold as
// much as is held for it. Unsent tells what is in there, so it need not be small;
// the kernel doubles it (socket(7), SO_SNDBUF).
const SendBufferPart = 4

// A host that is alive may leave some packets unanswered: it drops them when
// it is short of memory, and answers window probes twice a second at most
// (tcp_invalid_ratelimit). So hostGone wants several tries and a while of silence.
const (
	manyTries  = 3
	minSilence = 3 * time.Second
)

// hostGone reports whether the kernel has sent something again and again and
// heard nothing for at least silence, or minSilence if that is more: the peer's
// host, or the way to it, is gone. A host whose program merely does not read
// answers every probe.
func hostGone(conn net.Conn, silence time.Duration) (gone bool) {
	control(conn, func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return // not TCP
		}
		inVain := info.Retransmits >= manyTries || info.Probes >= manyTries
		gone = inVain && time.Duration(info.Last_ack_recv)*time.Millisecond >= max(silence, minSilence)
	})
	return gone
}

// hungUp reports whether the peer has closed or reset the connection, even
// behind data that nobody has read yet (poll(2), POLLRDHUP).
func hungUp(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, _ := unix.Poll(fds, 0)
	return n > 0
}
