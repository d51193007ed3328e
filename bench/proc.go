//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process takes, without its children.
type usage struct {
	user, system time.Duration // of the processor, in steps of 10 ms
	rss          int64         // memory in bytes; the kernel's for it, such as socket buffers, is not in it
	descriptors  int           // open files
	threads      int
}

// processor is the time of all processors, in the program and in the kernel.
func (u usage) processor() time.Duration { return u.user + u.system }

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 wherever Go
// runs.
const tick = time.Second / 100

// usageOf reads what the kernel tells of a process (Linux, proc_pid_stat(5) and
// its neighbours).
func usageOf(pid int) (usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return usage{}, fmt.Errorf("usage of a process: %w", err)
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return usage{}, fmt.Errorf("usage of a process: %w", err)
	}
	open, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return usage{}, fmt.Errorf("usage of a process: %w", err)
	}
	u := usage{descriptors: len(open)}
	u.user, u.system = timesIn(string(stat))
	u.threads = firstNumber(string(status), "\nThreads:")
	u.rss = int64(firstNumber(string(status), "\nVmRSS:")) << 10
	if u.rss == 0 || u.threads == 0 {
		return usage{}, fmt.Errorf("usage of process %d: it has ended", pid)
	}
	return u, nil
}

// timesIn returns utime and stime of a line of /proc/PID/stat. Their count begins
// behind the program's name, which may hold spaces and parentheses.
func timesIn(stat string) (user, system time.Duration) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, 0
	}
	u, _ := strconv.ParseInt(fields[11], 10, 64)
	s, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(u) * tick, time.Duration(s) * tick
}

// firstNumber returns the number behind key in text, 0 if there is none.
func firstNumber(text, key string) int {
	_, rest, _ := strings.Cut(text, key)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[0])
	return n
}

// mayOpen returns how many files a process may have open.
func mayOpen(pid int) (int, error) {
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0, fmt.Errorf("limits of a process: %w", err)
	}
	n := firstNumber(string(limits), "Max open files")
	if n == 0 { // no number, but "unlimited"
		n = 1 << 30
	}
	return n, nil
}

// childrenOf returns the children of a process, those that nobody has waited for
// too.
func childrenOf(pid int) (children []int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // none when it has gone
	for _, thread := range threads {
		list, _ := os.ReadFile(thread) // the thread may have ended
		for _, field := range strings.Fields(string(list)) {
			var child int
			fmt.Sscan(field, &child)
			children = append(children, child)
		}
	}
	return children
}

// descendants returns the processes below pid.
func descendants(pid int) (all []int) {
	for _, child := range childrenOf(pid) {
		all = append(append(all, child), descendants(child)...)
	}
	return all
}
