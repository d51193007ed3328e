package wspipetest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// memory returns a figure of /proc/PID/status in bytes, such as VmHWM, the
// most memory that wspipe ever had.
func memory(t *testing.T, pid int, key string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), key+":")
	fields := strings.Fields(rest)
	n, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// descriptors and children count what wspipe holds and runs.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func children(pid int) (n int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		list, _ := os.ReadFile(task)
		n += len(strings.Fields(string(list)))
	}
	return n
}

const mb = 1 << 20

// startPlain is wspipetest.Start for tests that look at memory.
func startPlain(t *testing.T, args ...string) *wspipetest.Server {
	t.Helper()
	return wspipetest.StartCommand(t, exec.Command(wspipetest.PlainBinary(t), append([]string{"--port=0"}, args...)...))
}

func TestAnEndlessLineTakesConstantMemory(t *testing.T) {
	const size = 200_000_000
	s := startPlain(t, "/bin/sh", "-c", fmt.Sprintf(`head -c %d /dev/zero | tr '\0' x; echo; echo next`, size))
	before := memory(t, s.Pid(), "VmHWM")
	c := dial(t, s.WS)
	_, r, err := c.Reader(c.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); n != size || err != nil {
		t.Fatalf("the message has %d bytes, %v; want %d", n, err, size)
	}
	if got := c.Next(); got != "next" {
		t.Errorf("then got %q", got)
	}
	if grown := memory(t, s.Pid(), "VmHWM") - before; grown > 30*mb {
		t.Errorf("a line of 200 MB took %d MB of memory", grown/mb)
	}
}

// TestOneStuckClientBesideMany: memory stays flat, and the others get each
// line although one, whose child floods too, does not read.
func TestOneStuckClientBesideMany(t *testing.T) {
	const others, lines = 200, 50
	s := startPlain(t, "/bin/sh", "-c", `read what; case $what in flood) exec yes;; esac; while read -r l; do echo "$l"; done`)
	stuck := dial(t, s.WS)
	stuck.Write(stuck.Ctx, websocket.MessageText, []byte("flood"))
	stuck.Next() // and nothing more
	var clients []*wspipetest.Client
	for range others {
		clients = append(clients, dial(t, s.WS))
	}
	var settled int
	for round := range 4 {
		echoAll(t, clients, round, lines)
		if round == 0 {
			settled = memory(t, s.Pid(), "VmRSS")
		}
	}
	if grown := memory(t, s.Pid(), "VmRSS") - settled; grown > 30*mb {
		t.Errorf("memory has grown by %d MB", grown/mb)
	}
}

func echoAll(t *testing.T, clients []*wspipetest.Client, round, lines int) {
	t.Helper()
	var talking sync.WaitGroup
	for _, c := range clients {
		talking.Go(func() {
			if round == 0 {
				c.Write(c.Ctx, websocket.MessageText, []byte("echo"))
			}
			for i := range lines {
				want := fmt.Sprintf("%d.%d", round, i)
				c.Write(c.Ctx, websocket.MessageText, []byte(want))
				if _, got, err := c.Read(c.Ctx); err != nil || string(got) != want {
					t.Errorf("got %q %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	talking.Wait()
}

// TestNothingIsLeftOver opens, uses and closes 300 connections at once,
// three times over.
func TestNothingIsLeftOver(t *testing.T) {
	const connections = 300
	s := startPlain(t, "--loglevel=error", "cat")
	idle := descriptors(t, s.Pid())
	var used [3]int
	for round := range used {
		useMany(t, s.WS, connections)
		until(t, "every child is gone", func() bool { return children(s.Pid()) == 0 })
		until(t, "every descriptor is closed", func() bool { return descriptors(t, s.Pid()) <= idle+2 }) // the pidfd test, and the like
		used[round] = memory(t, s.Pid(), "VmRSS")
	}
	t.Logf("memory after each round: %d %d %d MB", used[0]/mb, used[1]/mb, used[2]/mb)
	if used[2]-used[1] > 20*mb {
		t.Errorf("memory grows: %d, %d, %d MB", used[0]/mb, used[1]/mb, used[2]/mb)
	}
}

func useMany(t *testing.T, url string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*wspipetest.Patience)
	defer cancel()
	var using sync.WaitGroup
	opened, all := make(chan struct{}, n), make(chan struct{})
	for i := range n {
		using.Go(func() {
			conn, _, err := websocket.Dial(ctx, url, nil)
			opened <- struct{}{}
			if err != nil {
				t.Error(err)
				return
			}
			<-all // connections are open at once
			want := strconv.Itoa(i)
			conn.Write(ctx, websocket.MessageText, []byte(want))
			if _, got, err := conn.Read(ctx); err != nil || string(got) != want {
				t.Errorf("got %q %v, want %q", got, err, want)
			}
			if i%3 == 0 {
				conn.CloseNow()
			} else {
				conn.Close(websocket.StatusNormalClosure, "")
			}
		})
	}
	for range n {
		<-opened
	}
	close(all)
	using.Wait()
}
