package bridge

import (
	"net"
	"sync"
	"time"

	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// journal holds the last messages of a child whose client may come back, and all
// that the client has not had yet. It is the sink and the flow of the child's
// streams; a reader takes them out again. Messages are numbered from 1.
type journal struct {
	max   int           // bytes that may be held before the child must wait
	pause time.Duration // see ackPause
	// behind is how many of them may not have been sent to the client that is there,
	// before the child must wait.
	behind int
	// terminal is for a child that has one, or nil.
	terminal *terminalHistory

	mu        sync.Mutex
	change    sync.Cond // on mu: there is more, or room, or another reader, or an end
	entries   []entry   // what is held
	forgotten int       // how many were before entries[0]
	gone      int64     // how many messages began with those
	size      int       // of entries, in bytes
	room      []byte    // for the next entries' payload
	begun     int64     // messages that have begun
	complete  int64     // messages that have ended
	base      int64     // messages before the first that the client has counted
	handed    int       // entries before this one have been handed to a connection; counted as forgotten
	reader    *reader   // nil while nobody is attached
	over      bool      // nothing more comes
	err       error     // nothing more is taken
}

// entry is a message, or a frame of a long one.
type entry struct {
	payload    []byte
	binary     bool
	begin, end bool // it begins or ends a message
}

const (
	// entryCost is what an entry takes of journal.max beside its payload, in bytes.
	entryCost = 32
	// maxRoom is up to how much payload lies together: all of it stays until the
	// last entry there goes.
	maxRoom = 32 << 10
	// ackPause is how long to wait for an acknowledgement before the kernel is asked
	// again: nothing else tells.
	ackPause = 2 * time.Millisecond
)

func (e *entry) cost() int { return len(e.payload) + entryCost }

func (e *entry) typ() websocket.MessageType {
	if e.binary {
		return websocket.MessageBinary
	}
	return websocket.MessageText
}

func newJournal(max int) *journal {
	j := &journal{max: max, behind: max / 4, pause: ackPause}
	j.change.L = &j.mu
	return j
}

// Message implements sink.
func (j *journal) Message(typ websocket.MessageType, payload []byte) error {
	return j.Fragment(typ, payload, true)
}

// Fragment implements sink.
func (j *journal) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	e := entry{binary: typ == websocket.MessageBinary, begin: j.begun == j.complete, end: last}
	if cap(j.room)-len(j.room) < len(payload) {
		j.room = make([]byte, 0, max(len(payload), min(maxRoom, wire.SmallBlock+j.size)))
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
	j.entries = append(j.entries, e)
	j.size += e.cost()
	if j.reader != nil {
		j.reader.behind += e.cost()
	}
	return nil
}

// full reports whether the child is to wait.
func (j *journal) full() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size > j.max || j.reader.lags()
}

// Ready implements flow: a pause is the reader's.
func (j *journal) Ready() {}

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
	for j.err == nil && (!j.shrink() || j.reader.lags()) {
		if j.size > j.max && j.reader != nil && j.forgotten < j.reader.next { // sent, but not acknowledged
			j.waitForAck()
		} else {
			j.change.Wait()
		}
	}
	return j.err
}

// waitForAck waits for a change, or until the kernel should be asked again.
func (j *journal) waitForAck() {
	again := time.AfterFunc(j.pause, j.wake)
	j.change.Wait()
	again.Stop()
}

// wake lets whoever waits look again. With mu held it cannot come too early for
// one who is about to wait.
func (j *journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.change.Broadcast()
}

// shrink forgets the oldest messages and reports whether no more is held than may be.
// A client that loses its connection within a message wants all of it again, so
// part of one goes only if it is longer than what may be held.
func (j *journal) shrink() bool {
	n := 0
	for j.size > j.max && n < len(j.entries) {
		end := j.endOf(n)
		if end == len(j.entries) && !j.entries[end-1].end { // nothing else is held
			end = n + 1
		}
		if !j.reader.has(j.forgotten + end - 1) {
			break
		}
		for ; n < end; n++ {
			j.size -= j.entries[n].cost()
			j.terminal.forget(j.entries[n])
			if j.entries[n].begin {
				j.gone++
			}
			j.entries[n] = entry{}
		}
	}
	j.entries = j.entries[n:]
	j.forgotten += n
	return j.size <= j.max
}

// endOf returns where what follows the message of entry i begins.
func (j *journal) endOf(i int) int {
	for i++; i < len(j.entries) && !j.entries[i-1].end; i++ {
	}
	return i
}

// attach lets wire's client have the messages after those that it has counted
// already, or all that are held if after is negative: then it counts anew. The
// reader before gets no more.
func (j *journal) attach(conn *wire.Conn, after int64) (*reader, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case after < 0:
		j.beginTerminal()
		j.base, after = j.gone, 0
	case after > 0 && j.base+after > j.complete:
		return nil, ErrHistoryLost
	}
	i := j.find(j.base + after + 1)
	if i < 0 {
		return nil, ErrHistoryLost
	}
	r := &reader{journal: j, wire: conn, next: j.forgotten + i, acked: j.forgotten + i}
	for _, e := range j.entries[i:] {
		r.behind += e.cost()
	}
	j.reader = r
	j.change.Broadcast()
	return r, nil
}

// find returns the entry that message number begins with, where it will be if that
// is the next one to begin, or negative if it is not held.
func (j *journal) find(number int64) int {
	n := j.gone
	for i := range j.entries {
		if j.entries[i].begin {
			if n++; n == number {
				return i
			}
		}
	}
	if number == j.begun+1 {
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
