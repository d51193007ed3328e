package wire

// Pause makes Ready wait until Continue, and holds batches back until Continue or Seal. It
// is for a client that cannot stop reading, such as a page in a browser. A sender to this
// client alone calls Ready before it sends; the output of a shared child waits for no
// client. Other writes, for example of control frames, overtake the held batches.
func (q *Queue) Pause() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.sealed {
		q.paused.Store(true)
	}
}

// Continue ends a pause and sends what it held back. It reports whether there was a pause.
func (q *Queue) Continue() (wasPaused bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wasPaused = q.paused.Swap(false)
	q.releaseBatches()
	q.change.Broadcast()
	return wasPaused
}

// Ready waits for the end of a pause. Call Continue when the connection ends, too.
func (q *Queue) Ready() {
	if !q.paused.Load() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.paused.Load() {
		q.change.Wait()
	}
}

// holdBatch appends b to the batches held back by the pause.
func (q *Queue) holdBatch(b *Batch) {
	q.heldBatches.addBatch(segment{b: b.Frames, batch: b})
	q.heldBytes += len(b.Frames)
}

// releaseBatches appends the held batches to the queue.
func (q *Queue) releaseBatches() {
	q.written += int64(q.heldBytes)
	q.size.Add(int64(q.heldBytes))
	q.waiting = append(q.waiting, q.heldBatches...)
	q.heldBatches, q.heldBytes = nil, 0
	if !q.held {
		q.flush()
	}
}

// Paused reports whether the queue is paused.
func (q *Queue) Paused() bool { return q.paused.Load() }

// Backlog returns how many bytes are queued or held back by a pause.
func (q *Queue) Backlog() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.Waiting() + q.heldBytes
}
