package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// usage is what a process uses, without its children.
type usage struct {
	cpu    time.Duration // user and system time, in steps of 10 ms
	memory int           // resident, in bytes, without the kernel's, such as socket buffers
}

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 wherever Go runs.
const tick = time.Second / 100

// usageOf reads what the kernel reports of a process (proc_pid_stat(5),
// proc_pid_status(5)).
func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("usage of a process: %w", err)
	}
	// The program's name, in parentheses, may contain spaces and parentheses.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	resident := sizeIn(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	if resident == 0 {
		return usage{}, fmt.Errorf("usage of process %d: it has ended", pid)
	}
	return usage{time.Duration(user+system) * tick, resident}, nil
}

// children returns the children of a process, zombies included.
func children(pid int) (all []string) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, thread := range threads {
		list, _ := os.ReadFile(thread) // fails if the thread has ended
		all = append(all, strings.Fields(string(list))...)
	}
	return all
}

// field returns a field of a file such as /proc/cpuinfo, empty if it is missing.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// sizeIn returns a field that is a size in KB, in bytes, or 0 if it is missing.
func sizeIn(file, name string) (n int) {
	fmt.Sscan(field(file, name), &n)
	return n << 10
}

// machine describes where and with what was measured.
func (b *bench) machine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	packaged, err := exec.Command("dpkg-query", "-W", "-f=Debian's package ${Version}", "websocketd").Output()
	if err != nil { // it is from elsewhere
		packaged, _ = exec.Command(b.websocketd.words[0], "--version").Output()
	}
	version, _ := exec.Command(b.wspipe.words[0], "--version").Output()
	return fmt.Sprintf("- machine: %s, %d processors, %.1f GB of memory, Linux %s\n- wspipe: %s\n- websocketd: %s\n",
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), float64(sizeIn("/proc/meminfo", "MemTotal"))/1e9,
		strings.TrimSpace(string(kernel)), strings.TrimSpace(string(version)), strings.TrimSpace(string(packaged)))
}
