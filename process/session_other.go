//go:build unix && !linux

package process

import (
	"errors"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// ended reports whether no member is left, as far as we know the session. Call it
// only once the leader has been reaped.
func (g processSession) ended() bool {
	for _, id := range append(g.otherGroups(), g.id) {
		if !errors.Is(syscall.Kill(-id, 0), syscall.ESRCH) {
			return false
		}
	}
	return true
}

// contains reports whether the process is a member.
func (g processSession) contains(pid int) bool {
	sid, err := unix.Getsid(pid)
	return err == nil && sid == g.id
}

// containsGroup reports whether the process group is one of the session, as far as
// its leader tells.
func (g processSession) containsGroup(id int) bool {
	_, err := unix.Getsid(id)
	return g.contains(id) || errors.Is(err, syscall.ESRCH)
}

// otherGroups are other process groups of the session: here only the one that was in
// the foreground when the terminal was hung up. A job in the background has
// nothing but the hang-up to heed.
func (g processSession) otherGroups() []int {
	if g.terminal == nil {
		return nil
	}
	if id := int(g.terminal.lastForeground.id.Load()); id != 0 && id != g.id && g.contains(id) {
		return []int{id}
	}
	return nil
}

// onlyZombies is not known here: a zombie counts as alive.
func (processSession) onlyZombies() bool { return false }

// foregroundGroup is the process group in the foreground of a terminal when that was
// hung up, 0 if none is known. Afterwards the terminal does not tell any more.
type foregroundGroup struct{ id atomic.Int64 }

func (j *foregroundGroup) record(t *terminal) { j.id.Store(int64(t.foreground())) }
