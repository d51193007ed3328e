package bridge

import "wspipe/bridge/wire"

// historyReader takes messages out of a journal for one connection.
type historyReader struct {
	history *history
	wire    *wire.Conn

	// Guarded by journal.mu. Entries are counted as journal.forgotten:
	next     int        // the next to be sent
	behind   int        // what is held and not sent yet, in bytes
	inFlight int        // what was sent and is not acknowledged, as far as is known
	begun    bool       // it has had a beginning: what goes on with that is for it, too
	acked    int        // those before this one the client's host has
	marks    []sentMark // what was sent since

	batch []entry // of the goroutine that reads
}

// sentMark says where the wire's Queue was behind the entries before next, and
// what those since the mark before cost.
type sentMark struct {
	next     int
	position int64
	cost     int
}

// markedBytes is how much of an Queue has one mark, at least.
const markedBytes = 4 << 10

// isBehind reports whether the child is to wait for the client, though there is room.
// The client's program may not have read yet what its host, or a proxy, has
// acknowledged: so a quarter of the room is for that, a half for what is in
// flight, and the rest for what is not sent.
func (r *historyReader) isBehind() bool { return r != nil && r.behind > r.history.behind }

// tooMuchInFlight reports whether so much is in flight that no more should be: with another
// batch it would be more than half.
func (r *historyReader) tooMuchInFlight() bool {
	most := r.history.max/2 - r.maxBatch()
	if r.inFlight > most {
		r.updateAcked()
	}
	return r.inFlight > most
}

// maxBatch is how much a batch costs at most, if it is more than one entry.
func (r *historyReader) maxBatch() int { return r.history.max / 8 }

// hasAcked reports whether the client's host has acknowledged entry i, or had it before.
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

// read waits for messages, and returns some that leave in one write; none once r
// is detached, or has all and nothing more comes, which over tells. They count as
// sent with the next call.
func (r *historyReader) read() (batch []entry, over bool) {
	j := r.history
	j.mu.Lock()
	defer j.mu.Unlock()
	r.batchSent()
	for j.reader == r && j.err == nil {
		if r.tooMuchInFlight() {
			j.waitForAck()
			continue
		}
		r.gather()
		if len(r.batch) > 0 {
			j.sent = max(j.sent, r.next+len(r.batch))
			return r.batch, false
		}
		if j.over {
			return nil, true
		}
		j.change.Wait()
	}
	return nil, false
}

// batchSent notes that the batch has been handed to the wire.
func (r *historyReader) batchSent() {
	j := r.history
	if j.reader == r && j.err == nil && len(r.batch) > 0 {
		cost := 0
		for i := range r.batch {
			cost += r.batch[i].cost()
		}
		r.next += len(r.batch)
		r.behind -= cost
		r.inFlight += cost
		r.mark(sentMark{r.next, r.wire.Out.Position(), cost})
		j.change.Broadcast()
	}
	clear(r.batch)
	r.batch = r.batch[:0]
}

// mark notes what was sent. Short ones in a row share a mark, which is where the
// last of them ends.
func (r *historyReader) mark(m sentMark) {
	if n := len(r.marks); n > 1 && m.position-r.marks[n-2].position <= markedBytes {
		m.cost += r.marks[n-1].cost
		r.marks = r.marks[:n-1]
	}
	r.marks = append(r.marks, m)
}

// gather takes what is next into the batch.
func (r *historyReader) gather() {
	j := r.history
	rest := j.entries[r.next-j.forgotten:]
	for !r.begun && len(rest) > 0 {
		if r.begun = rest[0].begin; !r.begun { // the end of a message whose beginning is gone
			r.behind -= rest[0].cost()
			rest = rest[1:]
			r.next++
			r.acked = r.next // it may be forgotten
			j.change.Broadcast()
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
