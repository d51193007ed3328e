//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine is where and with what was measured.
type machine struct {
	Processor                      string
	Cores                          int
	Memory                         float64 // in GB
	Kernel, Go, Wspipe, Websocketd string
}

func (b *bench) machine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.Processor = field("/proc/cpuinfo", "model name")
	var kilobytes float64
	fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kilobytes)
	m.Memory = kilobytes * 1024 / 1e9
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(kernel))
	m.Wspipe, m.Websocketd = version(b.wspipe), version(b.websocketd)
	// Debian's says no more than that it is a development version.
	if out, err := exec.Command("dpkg-query", "-W", "-f=${Version}", "websocketd").Output(); err == nil {
		m.Websocketd = fmt.Sprintf("%s, Debian's package %s", m.Websocketd, out)
	}
	return m
}

// field returns a field of a file such as /proc/cpuinfo, empty if it lacks it.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// version returns the first line that a program tells.
func version(path string) string {
	out, _ := exec.Command(path, "--version").CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

func (m machine) String() string {
	return fmt.Sprintf("- processor: %s, %d cores\n- memory: %.1f GB\n- kernel: Linux %s\n- built with: %s\n- wspipe: %s\n- websocketd: %s\n",
		m.Processor, m.Cores, m.Memory, m.Kernel, m.Go, m.Wspipe, m.Websocketd)
}
