package bridge

import "wspipe/bridge/wire"

// historyReader reads messages from a history for one connection.
type historyReader struct {
	history *history
	wire    *wire.Conn

	// Guarded by history.mu. Entries are counted like history.forgotten:
	next     int        // the next entry to send
	behind   int        // cost of the entries that are held and not sent, in bytes
	inFlight int        // cost of the entries sent and not known to be acknowledged
	begun    bool       // the client has got the beginning of a message, so fragments are for it
	acked    int        // the client's host has acknowledged the entries before this one
	marks    []sentMark // what was sent and is in flight

	batch []entry // of the goroutine that reads
}

// sentMark is the position of the client's queue after the entries before next. cost is the
// cost of the entries since the previous mark.
type sentMark struct {
	next     int
	position int64
	cost     int
}

// markedBytes is the least distance of two marks, in bytes of the queue.
const markedBytes = 4 << 10

// isBehind reports whether the child must wait for the client even if there is room. The
// client's program may not have read what its host, or a proxy, has acknowledged. So at most
// a quarter of the room is for what is not sent, half of it for what is in flight, and the
// rest for what is acknowledged.
func (r *historyReader) isBehind() bool { return r != nil && r.behind > r.history.maxBehind }

// tooMuchInFlight reports whether another batch could bring more than half of the room in
// flight.
func (r *historyReader) tooMuchInFlight() bool {
	most := r.history.max/2 - r.maxBatch()
	if r.inFlight > most {
		r.updateAcked()
	}
	return r.inFlight > most
}

// maxBatch is the highest cost of a batch of more than one entry.
func (r *historyReader) maxBatch() int { return r.history.max / 8 }

// hasAcked reports whether the client's host has acknowledged entry i.
func (r *historyReader) hasAcked(i int) bool {
	if r == nil || i >= r.next {
		return false
	}
	if i >= r.acked {
		r.updateAcked()
	}
	return i < r.acked
}

// updateAcked asks the kernel what the client's host has acknowledged.
func (r *historyReader) updateAcked() {
	for position := r.wire.Acked(); len(r.marks) > 0 && r.marks[0].position <= position; r.marks = r.marks[1:] {
		r.acked = r.marks[0].next
		r.inFlight -= r.marks[0].cost
	}
}

// read waits for messages and returns some that are sent in one write. They count as sent at
// the next call. The batch is empty once r is detached, or at the end of the messages, which
// over reports.
func (r *historyReader) read() (batch []entry, over bool) {
	h := r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	r.batchSent()
	for h.reader == r && h.err == nil {
		if r.tooMuchInFlight() {
			h.waitForAck()
			continue
		}
		r.fillBatch()
		if len(r.batch) > 0 {
			h.sent = max(h.sent, r.next+len(r.batch))
			return r.batch, false
		}
		if h.over {
			return nil, true
		}
		h.change.Wait()
	}
	return nil, false
}

// batchSent counts the last batch, which is in the client's queue now, as sent.
func (r *historyReader) batchSent() {
	h := r.history
	if h.reader == r && h.err == nil && len(r.batch) > 0 {
		cost := 0
		for i := range r.batch {
			cost += r.batch[i].cost()
		}
		r.next += len(r.batch)
		r.behind -= cost
		r.inFlight += cost
		r.mark(sentMark{r.next, r.wire.Out.Position(), cost})
		h.change.Broadcast()
	}
	clear(r.batch)
	r.batch = r.batch[:0]
}

// mark adds m. Short batches in a row share a mark, at the end of the last one.
func (r *historyReader) mark(m sentMark) {
	if n := len(r.marks); n > 1 && m.position-r.marks[n-2].position <= markedBytes {
		m.cost += r.marks[n-1].cost
		r.marks = r.marks[:n-1]
	}
	r.marks = append(r.marks, m)
}

// fillBatch moves the next entries into the batch.
func (r *historyReader) fillBatch() {
	h := r.history
	rest := h.entries[r.next-h.forgotten:]
	for !r.begun && len(rest) > 0 {
		if r.begun = rest[0].begin; !r.begun { // a fragment of a message whose beginning was dropped
			r.behind -= rest[0].cost()
			rest = rest[1:]
			r.next++
			r.acked = r.next // so that shrink can drop it
			h.change.Broadcast()
		}
	}
	size, cost := 0, 0
	for i := range rest {
		cost += rest[i].cost()
		if size >= wire.MaxUnsent || i > 0 && (size+len(rest[i].payload) > maxBatch || cost > r.maxBatch()) {
			break
		}
		r.batch = append(r.batch, rest[i])
		size += len(rest[i].payload) + wire.MaxHeader
	}
}
