//go:build unix && !linux

package process

import (
	"errors"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// ended reports whether no member is left in the process groups that we know. Call it
// only after the leader has been reaped.
func (s processSession) ended() bool {
	for _, id := range append(s.otherGroups(), s.id) {
		if !errors.Is(syscall.Kill(-id, 0), syscall.ESRCH) {
			return false
		}
	}
	return true
}

// contains reports whether the process is a member of the session.
func (s processSession) contains(pid int) bool {
	sid, err := unix.Getsid(pid)
	return err == nil && sid == s.id
}

// containsGroup reports whether the process group may belong to the session. It
// returns true if the leader of the group has ended.
func (s processSession) containsGroup(id int) bool {
	_, err := unix.Getsid(id)
	return s.contains(id) || errors.Is(err, syscall.ESRCH)
}

// otherGroups returns the process group that was in the foreground when the terminal
// was hung up. Other groups are unknown on this platform: a background job gets only
// the SIGHUP of the hang-up.
func (s processSession) otherGroups() []int {
	if s.terminal == nil {
		return nil
	}
	if id := int(s.terminal.lastForeground.id.Load()); id != 0 && id != s.id && s.contains(id) {
		return []int{id}
	}
	return nil
}

// onlyZombies returns false: this platform does not tell zombies apart.
func (processSession) onlyZombies() bool { return false }

// foregroundGroup is the ID of the process group in the foreground of a terminal when
// it was hung up, or 0. It is recorded because the terminal forgets it then.
type foregroundGroup struct{ id atomic.Int64 }

func (j *foregroundGroup) record(t *terminal) { j.id.Store(int64(t.foreground())) }
