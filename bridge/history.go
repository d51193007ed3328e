package bridge

import (
	"net"
	"sync"
	"time"

	"wspipe/bridge/wire"

	"github.com/coder/websocket"
)

// history holds the messages of a child that its client may not have received, so that a
// client that lost its connection can continue. It is the destination and the
// message writer of the child's streams; a historyReader reads from it. Messages are
// numbered from 1. Of the entries, entries[0] has the number forgotten.
type history struct {
	max         int           // bytes that may be held before the child must wait
	ackInterval time.Duration // between two questions to the kernel, see waitForAck
	// maxBehind is how many bytes the attached client may be behind before the child must
	// wait.
	maxBehind int
	// terminal is nil unless the child has a terminal.
	terminal *terminalHistory

	mu                sync.Mutex
	change            sync.Cond      // on mu: new messages, free space, another reader, or an end
	entries           []entry        // held
	forgotten         int            // number of entries before entries[0]
	forgottenMessages int64          // messages that began in these
	size              int            // cost of entries, in bytes
	buffer            []byte         // for the payload of the next entries
	begun             int64          // messages that have begun
	complete          int64          // messages that have ended
	base              int64          // the message that the client counts as n has the number base+n
	sent              int            // the entries before this number were sent to some client
	reader            *historyReader // nil while no client is attached
	over              bool           // the output is complete
	err               error          // set by fail: everything was dropped
}

// entry is a message, or a fragment of a long message.
type entry struct {
	payload    []byte
	binary     bool
	begin, end bool // it begins or ends a message
}

const (
	// entryOverhead approximates the memory that an entry takes beside its payload, in
	// bytes.
	entryOverhead = 32
	// maxBuffer is the size of a buffer for the payloads of several entries, in bytes. It
	// is freed with the last of them.
	maxBuffer = 32 << 10
	// ackPause is the time between two questions to the kernel for acknowledgements,
	// for which it has no event.
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
	h := &history{max: max, maxBehind: max / 4, ackInterval: ackPause}
	h.change.L = &h.mu
	return h
}

// Message implements messageWriter.
func (h *history) Message(typ websocket.MessageType, payload []byte) error {
	return h.Fragment(typ, payload, true)
}

// Fragment implements messageWriter.
func (h *history) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	e := entry{binary: typ == websocket.MessageBinary, begin: h.begun == h.complete, end: last}
	if cap(h.buffer)-len(h.buffer) < len(payload) {
		h.buffer = make([]byte, 0, max(len(payload), min(maxBuffer, wire.SmallBlock+h.size)))
	}
	n := len(h.buffer)
	h.buffer = append(h.buffer, payload...)
	e.payload = h.buffer[n:len(h.buffer):len(h.buffer)]
	if e.begin {
		h.begun++
	}
	if last {
		h.complete++
	}
	h.entries = append(h.entries, e)
	h.size += e.cost()
	if h.reader != nil {
		h.reader.behind += e.cost()
	}
	return nil
}

// full reports whether the child must wait.
func (h *history) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.size > h.max || h.reader.isBehind()
}

// Ready implements destination. It does not wait, because a pause of the client stops only the reader.
func (h *history) Ready() {}

// Hold implements destination.
func (h *history) Hold() {}

// Release implements destination: the reader may read what was added. Fragment has changed the
// state with mu held.
func (h *history) Release() { h.change.Broadcast() }

// Wait implements destination. It drops the oldest messages that the client's host has
// acknowledged, and waits until no more is held than allowed and the client is not too far
// behind. While no client is attached it
// drops nothing, because the client's program may not have read what its host acknowledged.
func (h *history) Wait(int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.err == nil && (!h.shrink() || h.reader.isBehind()) {
		if h.size > h.max && h.reader != nil && h.forgotten < h.reader.next { // sent, but not yet acknowledged
			h.waitForAck()
		} else {
			h.change.Wait()
		}
	}
	return h.err
}

// waitForAck waits for a change, at most until the kernel should be asked again.
func (h *history) waitForAck() {
	again := time.AfterFunc(h.ackInterval, h.wake)
	h.change.Wait()
	again.Stop()
}

// wake makes waiting calls check their conditions again. It locks mu, so that it cannot
// run between a check and the wait that follows.
func (h *history) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.change.Broadcast()
}

// shrink drops the oldest messages and reports whether no more is held than allowed. A
// client that loses its connection within a message needs all of that message, so a message
// is dropped in parts only if nothing else is held.
func (h *history) shrink() bool {
	n := 0
	for h.size > h.max && n < len(h.entries) {
		end := h.endOf(n)
		if end == len(h.entries) && !h.entries[end-1].end { // an incomplete message alone
			end = n + 1
		}
		if !h.reader.hasAcked(h.forgotten + end - 1) {
			break
		}
		for ; n < end; n++ {
			h.size -= h.entries[n].cost()
			h.terminal.forget(h.entries[n])
			if h.entries[n].begin {
				h.forgottenMessages++
			}
			h.entries[n] = entry{}
		}
	}
	h.entries = h.entries[n:]
	h.forgotten += n
	return h.size <= h.max
}

// endOf returns the index after the message that begins at entry i.
func (h *history) endOf(i int) int {
	for i++; i < len(h.entries) && !h.entries[i-1].end; i++ {
	}
	return i
}

// attach returns a reader for the client of conn, which has received the messages up to
// number after. If after is negative, the client gets everything that is held, and counts
// from its first message. The previous reader gets no more.
func (h *history) attach(conn *wire.Conn, after int64) (*historyReader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case after < 0:
		h.beginTerminal()
		h.base, after = h.forgottenMessages, 0
	case after > 0 && h.base+after > h.complete:
		return nil, ErrHistoryLost
	}
	i := h.find(h.base + after + 1)
	if i < 0 {
		return nil, ErrHistoryLost
	}
	r := &historyReader{history: h, wire: conn, next: h.forgotten + i, acked: h.forgotten + i}
	for _, e := range h.entries[i:] {
		r.behind += e.cost()
	}
	h.reader = r
	h.change.Broadcast()
	return r, nil
}

// unsent returns how many bytes of messages have not been sent to any client.
func (h *history) unsent() (size int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.sent
	if h.reader != nil {
		next = h.reader.next + len(h.reader.batch)
	}
	from := min(max(0, next-h.forgotten), len(h.entries))
	for _, e := range h.entries[from:] {
		size += len(e.payload)
	}
	return size
}

// isAll reports whether a client that has counted after messages has all of them.
func (h *history) isAll(after int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.base+max(0, after) == h.complete
}

// find returns the index of the entry where message number begins, which may be the next one
// to be added, or a negative number if that entry is not held.
func (h *history) find(number int64) int {
	n := h.forgottenMessages
	for i := range h.entries {
		if h.entries[i].begin {
			if n++; n == number {
				return i
			}
		}
	}
	if number == h.begun+1 {
		return len(h.entries)
	}
	return -1
}

// detach ends what r reads.
func (h *history) detach(r *historyReader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader == r {
		h.reader = nil
	}
	h.change.Broadcast()
}

// finish marks the end of the messages.
func (h *history) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	h.change.Broadcast()
}

// fail drops everything, accepts no more, and ends every reader.
func (h *history) fail() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = net.ErrClosed
	h.entries, h.buffer, h.size = nil, nil, 0
	h.change.Broadcast()
}
