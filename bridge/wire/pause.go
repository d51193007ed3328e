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
	o.releaseBatches()
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

// holdBatch takes b while there is a pause.
func (o *Queue) holdBatch(b *Batch) {
	o.heldBatches.addBatch(segment{b: b.Frames, batch: b})
	o.heldBytes += len(b.Frames)
}

// releaseBatches puts what was kept back behind what waits.
func (o *Queue) releaseBatches() {
	o.written += int64(o.heldBytes)
	o.size.Add(int64(o.heldBytes))
	o.waiting = append(o.waiting, o.heldBatches...)
	o.heldBatches, o.heldBytes = nil, 0
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
	return o.Waiting() + o.heldBytes
}
