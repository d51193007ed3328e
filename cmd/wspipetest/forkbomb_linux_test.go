package wspipetest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// A session that forks until the system refuses more ends nobody else: neither
// wspipe, which may need threads then, nor the sessions after it.
func TestForkBombDoesNotEndServer(t *testing.T) {
	t.Parallel()
	perl, prlimit, dir := wspipetest.Need(t, "perl"), wspipetest.Need(t, "prlimit"), unprivilegedDir(t)
	for name, content := range map[string]string{
		"bomb":  "#!" + perl + "\n$| = 1; 1 while defined fork; print \"full\\n\"; sleep 1000 while 1;",
		"hello": "#!/bin/sh\necho hello",
		"file":  strings.Repeat("x", 5<<20),
	} {
		wspipetest.WriteFile(t, filepath.Join(dir, name), content)
	}
	// The limit is for all processes of a user, so it gets one of its own.
	uid := 1_000_000 + os.Getpid()
	cmd := exec.Command(prlimit, "--nproc=200", filepath.Join(dir, "wspipe"), "--port=0", "--dir="+dir, "--staticdir="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	t.Cleanup(func() { killUser(t, uid) })
	s := wspipetest.StartCommand(t, cmd)
	bomb := dial(t, s.WS+"bomb")
	bomb.Expect("full")
	useThreads(t, s)
	bomb.Close(websocket.StatusNormalClosure, "")
	until(t, "only wspipe is left", func() bool { return len(processesOf(uid)) == 1 })
	dial(t, s.WS+"hello").Expect("hello")
}

// useThreads has wspipe do many things at once.
func useThreads(t *testing.T, s *wspipetest.Server) {
	var clients sync.WaitGroup
	for range 40 {
		clients.Go(func() {
			resp, err := http.Get("http" + strings.TrimPrefix(s.WS, "ws") + "file")
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if err != nil {
				t.Errorf("file: %v", err)
			}
		})
		clients.Go(func() {
			conn, _, err := websocket.Dial(t.Context(), s.WS+"hello", nil)
			if err != nil {
				t.Errorf("hello: %v", err)
				return
			}
			defer conn.CloseNow()
			_, p, err := conn.Read(t.Context())
			want := websocket.CloseError{Code: 1011, Reason: "cannot start: too many processes"}
			if got, _ := errors.AsType[websocket.CloseError](err); err != nil && got != want || err == nil && string(p) != "hello" {
				t.Errorf("hello: %q, %v", p, err)
			}
		})
	}
	clients.Wait()
}

// processesOf returns the processes of a user.
func processesOf(uid int) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		var pid int
		fmt.Sscanf(dir, "/proc/%d", &pid)
		if info, err := os.Stat(dir); err == nil && int(info.Sys().(*syscall.Stat_t).Uid) == uid {
			pids = append(pids, pid)
		}
	}
	return pids
}

func killUser(t *testing.T, uid int) {
	until(t, "no process is left", func() bool {
		pids := processesOf(uid)
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(pids) == 0
	})
}
