package bridge

import (
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// journal holds the last messages of a child whose client may come back, and all
// that the client has not had yet. It is the sink and the flow of the child's
// streams; a reader takes them out again. Messages are numbered from 1.
type journal struct {
	max   int           // bytes that may be held before the child must wait
	pause time.Duration // see ackPause

	mu        sync.Mutex
	change    sync.Cond // on mu: there is more, or room, or another reader, or an end
	entries   []entry   // what is held
	forgotten int       // how many were before entries[0]
	size      int       // of entries, in bytes
	room      []byte    // for the next entries' payload
	begun     int64     // messages that have begun
	complete  int64     // messages that have ended
	base      int64     // messages before the first that the client has counted
	reader    *reader   // nil while nobody is attached
	over      bool      // nothing more comes
	err       error     // nothing more is taken
}

// entry is a message, or a frame of a long one.
type entry struct {
	typ        websocket.MessageType
	payload    []byte
	number     int64 // of its message
	begin, end bool  // it begins or ends that
	sent       int64 // where the reader's Outflow was after it
}

// reader takes the messages out for one connection.
type reader struct {
	journal *journal
	wire    *Wire
	first   int   // the first entry for it, counted as journal.forgotten
	next    int   // the next
	begun   bool  // it has had a beginning: what goes on with that is for it, too
	acked   int64 // how far the client's host has acknowledged Wire.Out, at least
	batch   []entry
}

const (
	// entryCost is what an entry costs beside its payload, in bytes, about.
	entryCost = 64
	// maxRoom is up to how much payload lies together: all of it stays until the
	// last entry there goes.
	maxRoom = 32 << 10
	// ackPause is how long the child waits for an acknowledgement of the oldest
	// entry before it asks the kernel again: nothing else tells.
	ackPause = 2 * time.Millisecond
)

func newJournal(max int) *journal {
	j := &journal{max: max, pause: ackPause}
	j.change.L = &j.mu
	return j
}

// message implements sink.
func (j *journal) message(typ websocket.MessageType, payload []byte) error {
	return j.add(typ, payload, true)
}

// piece implements sink.
func (j *journal) piece(typ websocket.MessageType, payload []byte, last bool) error {
	return j.add(typ, payload, last)
}

// add adds what goes on with the message at hand, or begins one.
func (j *journal) add(typ websocket.MessageType, payload []byte, last bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	e := entry{typ: typ, begin: j.begun == j.complete, end: last}
	if cap(j.room)-len(j.room) < len(payload) {
		j.room = make([]byte, 0, max(len(payload), min(maxRoom, smallBlock+j.size)))
	}
	n := len(j.room)
	j.room = append(j.room, payload...)
	e.payload = j.room[n:len(j.room):len(j.room)]
	if e.begin {
		j.begun++
	}
	if last {
		j.complete++
	}
	e.number = j.begun
	j.entries = append(j.entries, e)
	j.size += len(payload) + entryCost
	return nil
}

// full reports whether the child is to wait.
func (j *journal) full() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size > j.max
}

// Hold implements flow.
func (j *journal) Hold() {}

// Release implements flow: what was added may be read.
func (j *journal) Release() { j.change.Broadcast() }

// Wait implements flow. It waits until no more is held than may be, and forgets
// the oldest as far as the client's host has them. While nobody is attached that
// is nothing: who knows what the client's program had read.
func (j *journal) Wait(int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.err == nil && !j.shrink() {
		if j.reader != nil && j.forgotten < j.reader.next { // sent, but not acknowledged
			again := time.AfterFunc(j.pause, j.wake)
			j.change.Wait()
			again.Stop()
			continue
		}
		j.change.Wait()
	}
	return j.err
}

// wake lets whoever waits look again. With mu held it cannot come too early for
// one who is about to wait.
func (j *journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.change.Broadcast()
}

// shrink forgets the oldest entries and reports whether no more are held than may be.
func (j *journal) shrink() bool {
	n := 0
	for j.size > j.max && n < len(j.entries) && j.reader.has(j.forgotten+n, &j.entries[n]) {
		j.size -= len(j.entries[n].payload) + entryCost
		j.entries[n] = entry{}
		n++
	}
	j.entries = j.entries[n:]
	j.forgotten += n
	return j.size <= j.max
}

// has reports whether the client's host has acknowledged entry i, or had it before.
func (r *reader) has(i int, e *entry) bool {
	switch {
	case r == nil || i >= r.next:
		return false
	case i < r.first:
		return true
	case e.sent > r.acked:
		r.acked = r.wire.acked()
	}
	return e.sent <= r.acked
}

// attach lets wire's client have the messages after those that it has counted
// already, or all that are held if after is negative: then it counts anew. The
// reader before gets no more.
func (j *journal) attach(wire *Wire, after int64) (*reader, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := j.find(j.base + after + 1)
	if after < 0 {
		for i = 0; i < len(j.entries) && !j.entries[i].begin; i++ {
		}
		j.base = j.begun // if no beginning is held, the first for it is yet to begin
		if i < len(j.entries) {
			j.base = j.entries[i].number - 1
		}
	}
	if i < 0 {
		return nil, ErrHistoryLost
	}
	r := &reader{journal: j, wire: wire, first: j.forgotten + i, next: j.forgotten + i}
	j.reader = r
	j.change.Broadcast()
	return r, nil
}

// find returns the entry that message number begins with, or negative if it is
// not held and not the next one either.
func (j *journal) find(number int64) int {
	for i := range j.entries {
		if e := &j.entries[i]; e.begin && e.number == number {
			return i
		}
	}
	if j.begun == j.complete && number == j.complete+1 {
		return len(j.entries)
	}
	return -1
}

// detach ends what r gets.
func (j *journal) detach(r *reader) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reader == r {
		j.reader = nil
	}
	j.change.Broadcast()
}

// read waits for messages, and returns some that leave in one write; none once r
// is detached, or has all and nothing more comes, which over tells. It is what
// counts as sent with the next call.
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
	j, position := r.journal, r.wire.Out.position()
	if j.reader == r && j.err == nil {
		for i := range r.batch {
			j.entries[r.next-j.forgotten+i].sent = position
		}
		r.next += len(r.batch)
		j.change.Broadcast()
	}
	clear(r.batch)
	r.batch = r.batch[:0]
}

// gather takes what is next into the batch.
func (r *reader) gather() {
	j := r.journal
	rest := j.entries[r.next-j.forgotten:]
	for !r.begun && len(rest) > 0 {
		if r.begun = rest[0].begin; !r.begun {
			rest = rest[1:]
			r.next++
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

// finish tells that nothing more comes.
func (j *journal) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	j.change.Broadcast()
}

// fail drops what is held, takes no more, and ends every reader.
func (j *journal) fail() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = net.ErrClosed
	j.entries, j.room, j.size = nil, nil, 0
	j.change.Broadcast()
}
