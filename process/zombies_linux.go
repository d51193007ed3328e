package process

import (
	"bytes"
	"os"
	"strconv"
)

// onlyZombies reports whether all that is left of the group are processes that
// have ended, and that whoever adopted them has not reaped: not every init does
// so at once, or ever. It reads all of /proc (proc_pid_stat(5)), so it is no
// way to wait.
func (g group) onlyZombies() bool {
	known := false
	for pid := range processes {
		known = true
		if !g.has(pid) {
			continue
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // it is gone
		}
		// The name before the rest, in parentheses, may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 18 {
			continue
		}
		state := string(fields[0])
		threads, _ := strconv.Atoi(string(fields[17]))
		if state != "Z" && state != "X" || threads > 1 { // the state is the main thread's, and others may live on
			return false
		}
	}
	return known // without /proc every zombie counts as alive
}
