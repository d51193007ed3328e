package wire

// Pause makes ready wait, and keeps bursts back, until proceed or seal: for a client
// that cannot stop reading, as a page in a browser, but wants no more. Who sends to
// that client alone waits for ready, as for a socket that is full; what leaves a
// shared child waits for nobody. What is written otherwise, such as control frames,
// overtakes the bursts.
func (o *Queue) Pause() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.sealed {
		o.paused.Store(true)
	}
}

// Continue ends a pause, if there is one, which it reports.
func (o *Queue) Continue() (wasPaused bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wasPaused = o.paused.Swap(false)
	o.letGo()
	o.change.Broadcast()
	return wasPaused
}

// Ready implements flow: it waits for the end of a pause, which each end of a
// connection is, too.
func (o *Queue) Ready() {
	if !o.paused.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.paused.Load() {
		o.change.Wait()
	}
}

// keepBack takes b while there is a pause.
func (o *Queue) keepBack(b *Batch) {
	o.kept.addBatch(segment{b: b.Frames, batch: b})
	o.behind += len(b.Frames)
}

// letGo puts what was kept back behind what waits.
func (o *Queue) letGo() {
	o.total += int64(o.behind)
	o.size.Add(int64(o.behind))
	o.waiting = append(o.waiting, o.kept...)
	o.kept, o.behind = nil, 0
	if !o.held {
		o.flush()
	}
}

// Paused reports whether there is a pause.
func (o *Queue) Paused() bool { return o.paused.Load() }

// Backlog returns how many bytes wait, or are kept back.
func (o *Queue) Backlog() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Waiting() + o.behind
}
