package process

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ended reports whether no process of the session is left. Call it only once the
// leader has been reaped. Of most sessions nothing is, and that takes one system
// call.
func (g processSession) ended() bool {
	if !inUse(g.id) {
		return true
	}
	adopted, sure := reapOrphans()
	if !sure {
		for _, pid := range g.members() {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
	switch {
	case !inUse(g.id):
		return true
	case syscall.Kill(-g.id, 0) == nil, slices.ContainsFunc(adopted, g.contains):
		return false
	}
	return len(g.members()) == 0 // if so, the ID is another's now
}

// fOwnerGroup is F_OWNER_PGRP of fcntl(2).
const fOwnerGroup = 2

// inUse reports whether id is the ID of a process, a process group or a session.
// No other system call knows a session whose leader has been reaped: this one
// fails with ESRCH if there is none. Nobody uses the owner that it sets.
func inUse(id int) bool {
	owner := struct{ kind, id int32 }{fOwnerGroup, int32(id)}
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(orphans.probe), unix.F_SETOWN_EX, uintptr(unsafe.Pointer(&owner)))
	return errno != syscall.ESRCH
}

// contains reports whether the process is a member.
func (g processSession) contains(pid int) bool {
	sid, err := unix.Getsid(pid)
	return err == nil && sid == g.id
}

// containsGroup reports whether the process group is one of the session.
func (g processSession) containsGroup(id int) bool {
	return id == g.id || g.contains(id) || slices.Contains(g.otherGroups(), id)
}

// otherGroups are the process groups of the session besides the leader's: a shell gives
// each of its jobs one, and so does timeout(1).
func (g processSession) otherGroups() (ids []int) {
	for _, pid := range g.members() {
		if id, err := unix.Getpgid(pid); err == nil && id != g.id && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// members are the processes of the session, also those that have ended but have
// not been reaped.
func (g processSession) members() (pids []int) {
	candidates := processes
	if adopted, sure := reapOrphans(); sure {
		candidates = descendants(append(adopted, g.id))
	}
	for pid := range candidates {
		if g.contains(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descendants yields the processes and their descendants. A process that has left the
// session may have a child that has not, so it looks at all of them.
func descendants(pids []int) iter.Seq[int] {
	return func(yield func(pid int) bool) {
		seen := make(map[int]bool)
		for len(pids) > 0 {
			pid := pids[len(pids)-1]
			pids = pids[:len(pids)-1]
			if seen[pid] {
				continue
			}
			seen[pid] = true
			if !yield(pid) {
				return
			}
			pids = append(pids, childrenOf(pid)...)
		}
	}
}

// childrenOf are those of every thread of the process.
func childrenOf(pid int) (pids []int) {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task/"
	entries, _ := os.ReadDir(tasks)
	for _, entry := range entries {
		list, _ := os.ReadFile(tasks + entry.Name() + "/children")
		pids = append(pids, parsePids(list)...)
	}
	return pids
}

// processes calls yield with the ID of each process, as proc(5) shows them.
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

// onlyZombies reports whether all that is left of the session are processes that
// have ended, and that their parent, which has left the session, has not reaped.
func (g processSession) onlyZombies() bool {
	members := g.members()
	return len(members) > 0 && !slices.ContainsFunc(members, isRunning)
}

// isRunning reports whether a process has not ended, as proc_pid_stat(5) tells.
func isRunning(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) // /proc may hide it
	}
	// The name before the rest, in parentheses, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 18 {
		return true
	}
	state := string(fields[0])
	threads, _ := strconv.Atoi(string(fields[17]))
	return state != "Z" && state != "X" || threads > 1 // the state is the main thread's, and others may live on
}

// foregroundGroup is not needed here: jobs finds every process group.
type foregroundGroup struct{}

func (foregroundGroup) record(*terminal) {}
