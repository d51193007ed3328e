package bridge

// reader takes messages out of a journal for one connection.
type reader struct {
	journal *journal
	wire    *Wire

	// Guarded by journal.mu. Entries are counted as journal.forgotten:
	next   int        // the next to be sent
	behind int        // what is held and not sent yet, in bytes
	begun  bool       // it has had a beginning: what goes on with that is for it, too
	acked  int        // those before this one the client's host has
	marks  []sentMark // what was sent since

	batch []entry // of the goroutine that reads
}

// sentMark says where the wire's Outflow was behind the entries before next.
type sentMark struct {
	next     int
	position int64
}

// markedBytes is how much of an Outflow has one mark, at least.
const markedBytes = 4 << 10

// lags reports whether the child is to wait for the client, though there is room:
// most of that is for what was sent, since the client's program may not have read
// yet what its host, or a proxy, has acknowledged.
func (r *reader) lags() bool { return r != nil && r.behind > r.journal.max/4 }

// has reports whether the client's host has acknowledged entry i, or had it before.
func (r *reader) has(i int) bool {
	switch {
	case r == nil || i >= r.next:
		return false
	case i < r.acked:
		return true
	}
	for position := r.wire.acked(); len(r.marks) > 0 && r.marks[0].position <= position; r.marks = r.marks[1:] {
		r.acked = r.marks[0].next
	}
	return i < r.acked
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
		r.gather()
		if len(r.batch) > 0 {
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
		for i := range r.batch {
			r.behind -= r.batch[i].cost()
		}
		r.next += len(r.batch)
		r.mark(r.wire.Out.position())
		j.change.Broadcast()
	}
	clear(r.batch)
	r.batch = r.batch[:0]
}

// mark notes that the entries before next end at position. Short ones in a row
// share a mark, which is that of the last.
func (r *reader) mark(position int64) {
	if n := len(r.marks); n > 1 && position-r.marks[n-2].position <= markedBytes {
		r.marks = r.marks[:n-1]
	}
	r.marks = append(r.marks, sentMark{r.next, position})
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
	size := 0
	for i := range rest {
		if size >= maxUnsent || i > 0 && size+len(rest[i].payload) > maxBurst {
			break
		}
		r.batch = append(r.batch, rest[i])
		size += len(rest[i].payload) + maxHeader
	}
}
