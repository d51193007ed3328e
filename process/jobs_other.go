//go:build unix && !linux

package process

// jobs are other process groups of a session that the group leads: here only
// the one that was in the foreground when the terminal was hung up. A job in
// the background has nothing but the hang-up to heed.
func (g group) jobs() []int {
	if id := int(g.terminal.job.Load()); id != g.id && g.has(id) {
		return []int{id}
	}
	return nil
}

// noteForeground is for jobs: once hung up, the terminal does not tell any more.
func (t *terminal) noteForeground() { t.job.Store(int64(t.foreground())) }
