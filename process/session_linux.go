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

// ended reports whether no process of the session is left. Call it only after the
// leader has been reaped. Usually the answer is true and takes one system call.
func (s processSession) ended() bool {
	if !inUse(s.id) {
		return true
	}
	adopted, complete := reapOrphans()
	if !complete {
		for _, pid := range s.members() {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
	switch {
	case !inUse(s.id):
		return true
	case syscall.Kill(-s.id, 0) == nil, slices.ContainsFunc(adopted, s.contains):
		return false
	}
	return len(s.members()) == 0 // then the ID has been reused
}

// fOwnerGroup is F_OWNER_PGRP of fcntl(2).
const fOwnerGroup = 2

// inUse reports whether id is the ID of a process, a process group or a session.
// F_SETOWN_EX is the only system call that finds a session whose leader has been
// reaped: it fails with ESRCH if id is free. The owner that it sets has no effect.
func inUse(id int) bool {
	owner := struct{ kind, id int32 }{fOwnerGroup, int32(id)}
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(orphans.probe), unix.F_SETOWN_EX, uintptr(unsafe.Pointer(&owner)))
	return errno != syscall.ESRCH
}

// contains reports whether the process is a member of the session.
func (s processSession) contains(pid int) bool {
	sid, err := unix.Getsid(pid)
	return err == nil && sid == s.id
}

// containsGroup reports whether the process group belongs to the session.
func (s processSession) containsGroup(id int) bool {
	return id == s.id || s.contains(id) || slices.Contains(s.otherGroups(), id)
}

// otherGroups returns the process groups of the session other than the leader's. A
// shell makes one for each job, and timeout(1) makes one.
func (s processSession) otherGroups() (ids []int) {
	for _, pid := range s.members() {
		if id, err := unix.Getpgid(pid); err == nil && id != s.id && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// members returns the processes of the session, including zombies.
func (s processSession) members() (pids []int) {
	candidates := processes
	if adopted, complete := reapOrphans(); complete {
		candidates = descendants(append(adopted, s.id))
	}
	for pid := range candidates {
		if s.contains(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descendants yields the processes and all their descendants, also those in other
// sessions, because a process that has left the session may have a child that has not.
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

// childrenOf returns the children of every thread of the process.
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

// onlyZombies reports whether every process left in the session is a zombie, which a
// parent outside the session has not reaped.
func (s processSession) onlyZombies() bool {
	members := s.members()
	return len(members) > 0 && !slices.ContainsFunc(members, isRunning)
}

// isRunning reports whether a process has not ended, according to proc_pid_stat(5).
func isRunning(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) // /proc may hide it
	}
	// The name in parentheses may contain any byte.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 18 {
		return true
	}
	state := string(fields[0])
	threads, _ := strconv.Atoi(string(fields[17]))
	return state != "Z" && state != "X" || threads > 1 // the state is the main thread's; others may still run
}

// foregroundGroup is unused on Linux, where otherGroups finds every process group.
type foregroundGroup struct{}

func (foregroundGroup) record(*terminal) {}
