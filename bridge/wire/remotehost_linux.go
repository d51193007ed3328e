package wire

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Unsent returns how many bytes the remote kernel has not acknowledged, sent or not
// (tcp(7), SIOCOUTQ).
func Unsent(conn net.Conn) (n int) {
	control(conn, func(fd uintptr) {
		n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if n > MaxOrphan && wasReset(int(fd)) {
			n = 0 // the kernel still reports what it has dropped
		}
	})
	return n
}

// wasReset reports whether a TCP connection has been reset, so that the kernel holds
// nothing for it.
func wasReset(fd int) bool {
	const stateClose = 7 // TCP_CLOSE in linux/tcp_states.h
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == stateClose
}

// limitUnsent makes the kernel accept more only while fewer than n bytes are not sent
// yet (TCP_NOTSENT_LOWAT), and reports whether it can. Unlike a small send buffer, this
// does not limit what is in flight on a long path.
func limitUnsent(conn net.Conn, n int) (ok bool) {
	control(conn, func(fd uintptr) {
		ok = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n) == nil
	})
	return ok
}

// SendBufferPart is how many times larger than its send buffer the history of a
// resumable client is. Unsent reports what the send buffer contains, so it need not be
// small; the kernel doubles its size (socket(7), SO_SNDBUF).
const SendBufferPart = 4

// A live host may leave some packets unanswered: it drops them when it is short of
// memory, and answers window probes at most twice a second (tcp_invalid_ratelimit).
// So hostGone requires several tries and some time of silence.
const (
	manyTries  = 3
	minSilence = 3 * time.Second
)

// hostGone reports whether the kernel has repeated a packet and received nothing for
// silence, or for minSilence if that is longer: then the remote host, or the path to
// it, is down. If only the remote program does not read, its host answers each probe.
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

// hungUp reports whether the remote end has closed or reset the connection, even if
// unread data precedes that (poll(2), POLLRDHUP).
func hungUp(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, _ := unix.Poll(fds, 0)
	return n > 0
}
