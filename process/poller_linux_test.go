package process

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"wspipe/cmd/wspipetest"
)

func init() { helpers["unpollable"] = unpollable }

// unpollable starts a child with each kind of terminal while epoll(7) accepts no more descriptors,
// and prints the results.
func unpollable() {
	if r, w, err := os.Pipe(); err == nil { // makes the runtime create its poller
		r.Close()
		w.Close()
	}
	if err := failEpollAdd(); err != nil {
		fmt.Print(err)
		return
	}
	for _, terminal := range []Terminal{NoTerminal, StdoutTerminal, FullTerminal} {
		spec := sh("echo started")
		spec.Terminal = terminal
		c, err := Start(spec)
		if err != nil {
			fmt.Println(err)
			continue
		}
		text, _ := io.ReadAll(c.Stdout())
		fmt.Printf("%q\n", text)
	}
	called := make(chan bool)
	onReadable(0, func() { close(called) })
	<-called
	fmt.Println("called")
}

// failEpollAdd makes epoll_ctl(2) fail with ENOSPC, permanently and in all threads, if it adds a
// descriptor (seccomp(2)).
func failEpollAdd() error {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	skipUnless := func(value uint32, skipped uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: skipped}
	}
	result := func(value uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value}
	}
	// struct seccomp_data begins with the number of the system call. Its arguments begin at
	// offset 16, each with 8 bytes, the lower half first.
	filter := []unix.SockFilter{
		load(0), skipUnless(unix.SYS_EPOLL_CTL, 3),
		load(16 + 8), skipUnless(unix.EPOLL_CTL_ADD, 1),
		result(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSPC)),
		result(unix.SECCOMP_RET_ALLOW),
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); errno != 0 {
		return errno
	}
	return nil
}

// TestPollerIsFull: Start fails if the output of the child cannot be polled.
func TestPollerIsFull(t *testing.T) {
	t.Parallel()
	lines := strings.Split(output(t, helper("unpollable")), "\n")
	if len(lines) == 1 {
		wspipetest.Lack(t, "seccomp(2) is not permitted: %s", lines[0])
	}
	want := []string{
		`start "/bin/sh": system error (` + errNoPoller.Error() + ")",
		`start "/bin/sh": no terminal available (` + errNoPoller.Error() + ")",
		`start "/bin/sh": no terminal available (` + errNoPoller.Error() + ")",
		"called", "",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q", lines)
	}
}
