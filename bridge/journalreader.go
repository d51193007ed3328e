package bridge

import "wspipe/bridge/wire"

// reader takes messages out of a journal for one connection.
type reader struct {
	journal *journal
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

// lags reports whether the child is to wait for the client, though there is room.
// The client's program may not have read yet what its host, or a proxy, has
// acknowledged: so a quarter of the room is for that, a half for what is in
// flight, and the rest for what is not sent.
func (r *reader) lags() bool { return r != nil && r.behind > r.journal.behind }

// chokes reports whether so much is in flight that no more should be: with another
// batch it would be more than half.
func (r *reader) chokes() bool {
	most := r.journal.max/2 - r.maxBatch()
	if r.inFlight > most {
		r.hear()
	}
	return r.inFlight > most
}

// maxBatch is how much a batch costs at most, if it is more than one entry.
func (r *reader) maxBatch() int { return r.journal.max / 8 }

// has reports whether the client's host has acknowledged entry i, or had it before.
func (r *reader) has(i int) bool {
	if r == nil || i >= r.next {
		return false
	}
	if i >= r.acked {
		r.hear()
	}
	return i < r.acked
}

// hear asks the kernel what the client's host has acknowledged.
func (r *reader) hear() {
	for position := r.wire.Acked(); len(r.marks) > 0 && r.marks[0].position <= position; r.marks = r.marks[1:] {
		r.acked = r.marks[0].next
		r.inFlight -= r.marks[0].cost
	}
}

// read waits for messages, and returns some that leave in one write; none once r
// is detached, or has all and nothing more comes, which over tells. They count as
// sent with the next call.
func (r *reader) read() (batch []entry, over bool) {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	r.sent()
	for j.reader == r && j.err == nil {
		if r.chokes() {
			j.waitForAck()
			continue
		}
		r.gather()
		if len(r.batch) > 0 {
			j.handed = max(j.handed, r.next+len(r.batch))
			return r.batch, false
		}
		if j.over {
			return nil, true
		}
		j.change.Wait()
	}
	return nil, false
}

// sent notes that the batch has been handed to the wire.
func (r *reader) sent() {
	j := r.journal
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
func (r *reader) mark(m sentMark) {
	if n := len(r.marks); n > 1 && m.position-r.marks[n-2].position <= markedBytes {
		m.cost += r.marks[n-1].cost
		r.marks = r.marks[:n-1]
	}
	r.marks = append(r.marks, m)
}

// gather takes what is next into the batch.
func (r *reader) gather() {
	j := r.journal
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
		if size >= wire.MaxUnsent || i > 0 && (size+len(rest[i].payload) > maxBurst || cost > r.maxBatch()) {
			break
		}
		r.batch = append(r.batch, rest[i])
		size += len(rest[i].payload) + wire.MaxHeader
	}
}
