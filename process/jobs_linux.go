package process

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// jobs are the other process groups of a session that the group leads: a shell
// gives each of its jobs one. It looks at every process, so it is no way to
// wait.
func (g group) jobs() (ids []int) {
	for pid := range processes {
		if !g.has(pid) {
			continue
		}
		if id, err := unix.Getpgid(pid); err == nil && id != g.id && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// processes calls yield with the number of each process, as proc(5) shows them.
func processes(yield func(pid int) bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && !yield(pid) {
			return
		}
	}
}

func (t *terminal) noteForeground() {} // jobs finds it
