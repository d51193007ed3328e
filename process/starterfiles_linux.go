package process

import (
	"math"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// separate gives the starter's thread a descriptor table of its own. fork copies the table and
// exec closes what it contains, one descriptor after the other: with the five descriptors of
// each of 4 000 connections that takes a millisecond. Before Linux 5.9 the thread keeps ours.
func (s *starter) separate() {
	keep := runtimeFiles()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if keep == nil || err != nil {
		return
	}
	if unix.CloseRange(math.MaxUint32, math.MaxUint32, unix.CLOSE_RANGE_UNSHARE) != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return
	}
	s.socket, s.inner = pair[0], pair[1]
	keep = append(keep, s.inner)
	slices.Sort(keep)
	next := 3 // after stderr
	for _, fd := range keep {
		if fd > next {
			unix.CloseRange(uint(next), uint(fd-1), 0)
		}
		next = max(next, fd+1)
	}
	unix.CloseRange(uint(next), math.MaxUint32, 0)
}

// runtimeFiles returns the descriptors that Go's runtime may use on any thread: those of its
// poller. It is nil if they are unknown.
func runtimeFiles() (fds []int) {
	if _, err := startWatcher(); err != nil { // starts the poller, too
		return nil
	}
	const dir = "/proc/self/fd/"
	entries, _ := os.ReadDir(dir)
	pollers, wakers := 0, 0
	for _, entry := range entries {
		switch name, _ := os.Readlink(dir + entry.Name()); name {
		case "anon_inode:[eventpoll]":
			pollers++
		case "anon_inode:[eventfd]":
			wakers++
		default:
			continue
		}
		fd, _ := strconv.Atoi(entry.Name())
		fds = append(fds, fd)
	}
	if pollers < 2 || wakers == 0 { // one poller is the watcher's
		return nil
	}
	return fds
}

// receiveFiles receives n descriptors from a socket.
func receiveFiles(socket, n int) (fds []int, err error) {
	rights := make([]byte, unix.CmsgSpace(4*n))
	var scratch [1]byte
	_, size, _, _, err := unix.Recvmsg(socket, scratch[:], rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:size])
	if err != nil || len(messages) == 0 {
		return nil, unix.EMFILE
	}
	fds, err = unix.ParseUnixRights(&messages[0])
	if err == nil && len(fds) < n {
		err = unix.EMFILE
	}
	return fds, err
}
