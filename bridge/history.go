package bridge

import (
	"net"
	"sync"
	"time"

	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// history holds the last messages of a child whose client may come back, and all
// that the client has not had yet. It is the sink and the flow of the child's
// streams; a reader takes them out again. Messages are numbered from 1.
type history struct {
	max   int           // bytes that may be held before the child must wait
	pause time.Duration // see ackPause
	// behind is how many of them may not have been sent to the client that is there,
	// before the child must wait.
	behind int
	// terminal is for a child that has one, or nil.
	terminal *terminalHistory

	mu                sync.Mutex
	change            sync.Cond      // on mu: there is more, or room, or another reader, or an end
	entries           []entry        // what is held
	forgotten         int            // how many were before entries[0]
	forgottenMessages int64          // how many messages began with those
	size              int            // of entries, in bytes
	buffer            []byte         // for the next entries' payload
	begun             int64          // messages that have begun
	complete          int64          // messages that have ended
	base              int64          // messages before the first that the client has counted
	sent              int            // entries before this one have been handed to a connection; counted as forgotten
	reader            *historyReader // nil while nobody is attached
	over              bool           // nothing more comes
	err               error          // nothing more is taken
}

// entry is a message, or a frame of a long one.
type entry struct {
	payload    []byte
	binary     bool
	begin, end bool // it begins or ends a message
}

const (
	// entryOverhead is what an entry takes of journal.max beside its payload, in bytes.
	entryOverhead = 32
	// maxBuffer is up to how much payload lies together: all of it stays until the
	// last entry there goes.
	maxBuffer = 32 << 10
	// ackPause is how long to wait for an acknowledgement before the kernel is asked
	// again: nothing else tells.
	ackPause = 2 * time.Millisecond
)

func (e *entry) cost() int { return len(e.payload) + entryOverhead }

func (e *entry) typ() websocket.MessageType {
	if e.binary {
		return websocket.MessageBinary
	}
	return websocket.MessageText
}

func newHistory(max int) *history {
	j := &history{max: max, behind: max / 4, pause: ackPause}
	j.change.L = &j.mu
	return j
}

// Message implements sink.
func (j *history) Message(typ websocket.MessageType, payload []byte) error {
	return j.Fragment(typ, payload, true)
}

// Fragment implements sink.
func (j *history) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	e := entry{binary: typ == websocket.MessageBinary, begin: j.begun == j.complete, end: last}
	if cap(j.buffer)-len(j.buffer) < len(payload) {
		j.buffer = make([]byte, 0, max(len(payload), min(maxBuffer, wire.SmallBlock+j.size)))
	}
	n := len(j.buffer)
	j.buffer = append(j.buffer, payload...)
	e.payload = j.buffer[n:len(j.buffer):len(j.buffer)]
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
func (j *history) full() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size > j.max || j.reader.isBehind()
}

// Ready implements flow: a pause is the reader's.
func (j *history) Ready() {}

// Hold implements flow.
func (j *history) Hold() {}

// Release implements flow: what was added may be read.
func (j *history) Release() { j.change.Broadcast() }

// Wait implements flow. It waits until no more is held than may be, and forgets
// the oldest as far as the client's host has them. While nobody is attached that
// is nothing: who knows what the client's program had read.
func (j *history) Wait(int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.err == nil && (!j.shrink() || j.reader.isBehind()) {
		if j.size > j.max && j.reader != nil && j.forgotten < j.reader.next { // sent, but not acknowledged
			j.waitForAck()
		} else {
			j.change.Wait()
		}
	}
	return j.err
}

// waitForAck waits for a change, or until the kernel should be asked again.
func (j *history) waitForAck() {
	again := time.AfterFunc(j.pause, j.wake)
	j.change.Wait()
	again.Stop()
}

// wake lets whoever waits look again. With mu held it cannot come too early for
// one who is about to wait.
func (j *history) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.change.Broadcast()
}

// shrink forgets the oldest messages and reports whether no more is held than may be.
// A client that loses its connection within a message wants all of it again, so
// part of one goes only if it is longer than what may be held.
func (j *history) shrink() bool {
	n := 0
	for j.size > j.max && n < len(j.entries) {
		end := j.endOf(n)
		if end == len(j.entries) && !j.entries[end-1].end { // nothing else is held
			end = n + 1
		}
		if !j.reader.hasAcked(j.forgotten + end - 1) {
			break
		}
		for ; n < end; n++ {
			j.size -= j.entries[n].cost()
			j.terminal.forget(j.entries[n])
			if j.entries[n].begin {
				j.forgottenMessages++
			}
			j.entries[n] = entry{}
		}
	}
	j.entries = j.entries[n:]
	j.forgotten += n
	return j.size <= j.max
}

// endOf returns where what follows the message of entry i begins.
func (j *history) endOf(i int) int {
	for i++; i < len(j.entries) && !j.entries[i-1].end; i++ {
	}
	return i
}

// attach lets wire's client have the messages after those that it has counted
// already, or all that are held if after is negative: then it counts anew. The
// reader before gets no more.
func (j *history) attach(conn *wire.Conn, after int64) (*historyReader, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case after < 0:
		j.beginTerminal()
		j.base, after = j.forgottenMessages, 0
	case after > 0 && j.base+after > j.complete:
		return nil, ErrHistoryLost
	}
	i := j.find(j.base + after + 1)
	if i < 0 {
		return nil, ErrHistoryLost
	}
	r := &historyReader{history: j, wire: conn, next: j.forgotten + i, acked: j.forgotten + i}
	for _, e := range j.entries[i:] {
		r.behind += e.cost()
	}
	j.reader = r
	j.change.Broadcast()
	return r, nil
}

// find returns the entry that message number begins with, where it will be if that
// is the next one to begin, or negative if it is not held.
func (j *history) find(number int64) int {
	n := j.forgottenMessages
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
func (j *history) detach(r *historyReader) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reader == r {
		j.reader = nil
	}
	j.change.Broadcast()
}

// finish tells that nothing more comes.
func (j *history) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	j.change.Broadcast()
}

// fail drops what is held, takes no more, and ends every reader.
func (j *history) fail() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = net.ErrClosed
	j.entries, j.buffer, j.size = nil, nil, 0
	j.change.Broadcast()
}
