//go:build unix

package process

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// description is the environment of a child.
type description struct {
	Args, Env    []string
	Dir          string
	LeadsSession bool
	Files        map[int]string // "blocking" or "nonblocking" for each open descriptor
}

// standardFiles are the descriptors that a child must have. C programs do not handle EAGAIN.
var standardFiles = map[int]string{0: "blocking", 1: "blocking", 2: "blocking"}

// describe prints its description.
func describe() {
	d := description{Args: os.Args, Env: os.Environ(), LeadsSession: must(unix.Getsid(0)) == os.Getpid(), Files: inheritable()}
	d.Dir, _ = os.Getwd()
	json.NewEncoder(os.Stdout).Encode(d)
}

// inheritable returns our open descriptors without the close-on-exec flag.
func inheritable() map[int]string {
	files := map[int]string{}
	for fd := range 1024 {
		closeOnExec, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || closeOnExec != 0 {
			continue
		}
		files[fd] = "blocking"
		if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
			files[fd] = "nonblocking"
		}
	}
	return files
}

// echo copies stdin to stdout.
func echo() { io.Copy(os.Stdout, os.Stdin) }

// record prints a line for each signal that it gets, and EOF at the end of stdin. It exits
// after the line that its argument names.
func record() {
	events := make(chan string)
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		for s := range signals {
			events <- signalName(s.(syscall.Signal))
		}
	}()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		events <- "EOF"
	}()
	fmt.Println("ready")
	for e := range events {
		fmt.Println(e)
		if e == os.Args[1] {
			return
		}
	}
}

// setsid executes a shell that runs its argument in a new process session.
func setsid() {
	must(syscall.Setsid())
	panic(syscall.Exec("/bin/sh", []string{"sh", "-c", os.Args[1]}, os.Environ()))
}
