package bridge

import (
	"unicode/utf8"

	"wspipe/bridge/framing"
	"wspipe/bridge/vt"

	"github.com/coder/websocket"
)

const (
	// maxReplay bounds what a replay holds, in bytes.
	maxReplay = 4 << 20
	// maxScreen is maxReplay for a terminal, whose new clients need only what may
	// still be on the screen.
	maxScreen = 64 << 10
	// recordOverhead approximates the memory that a message takes beside its data, in
	// bytes, so that empty messages count.
	recordOverhead = 64
	// maxMerged is the size in bytes up to which a terminal's messages are merged.
	maxMerged = 4 << 10
)

// replayMessage is a message as the child wrote it.
type replayMessage struct {
	from   *output // that sent it
	number int64   // of the message; the child's first is 1
	data   []byte
}

// replay holds the last messages of a child for new clients.
type replay struct {
	maxMessages, maxBytes int
	// terminal is the state of the child's terminal before the oldest message, or nil if
	// the child has none. The boundaries of a terminal's messages mean nothing.
	terminal *vt.State

	messages []replayMessage
	size     int // cost of messages, in bytes
}

// add adds messages and drops the oldest beyond the limits.
func (r *replay) add(more []replayMessage) {
	for _, m := range more {
		if last := len(r.messages) - 1; r.terminal != nil && last >= 0 && len(r.messages[last].data)+len(m.data) <= maxMerged {
			r.messages[last].data = append(r.messages[last].data, m.data...)
			r.size += len(m.data)
			continue
		}
		r.messages = append(r.messages, m)
		r.size += len(m.data) + recordOverhead
	}
	n := 0
	for len(r.messages)-n > r.maxMessages || r.size > r.maxBytes {
		r.size -= len(r.messages[n].data) + recordOverhead
		if r.terminal != nil {
			r.terminal.Write(r.messages[n].data)
		}
		r.messages[n] = replayMessage{}
		n++
	}
	r.messages = r.messages[n:]
}

// replayCollector collects the messages of one stream while they are split.
type replayCollector struct {
	from    *output
	data    []byte // of the incomplete message
	tooLong bool
	done    []replayMessage
}

// add adds part of a message, as the child wrote it.
func (r *replayCollector) add(p []byte, last bool) {
	if r.tooLong = r.tooLong || len(r.data)+len(p) > maxReplay; r.tooLong {
		r.data = nil
	} else {
		r.data = append(r.data, p...)
	}
	if !last {
		return
	}
	if !r.tooLong {
		r.done = append(r.done, replayMessage{r.from, r.from.total.messages.Load(), r.data})
	}
	r.data, r.tooLong = nil, false
}

// take returns the complete messages and forgets them.
func (r *replayCollector) take() []replayMessage {
	done := r.done
	r.done = nil
	return done
}

// encode returns m as the payload of a plain message.
func (m replayMessage) encode() []byte {
	switch {
	case m.from.stream != "":
		d := framing.AppendJSONHead(nil, m.from.stream)
		return append(framing.AppendJSON(d, m.data), framing.JSONEnd...)
	case m.from.typ == websocket.MessageText && !utf8.Valid(m.data):
		return framing.AppendValid(nil, m.data)
	}
	return m.data
}

// raw returns m with the bytes that the framing puts around it.
func (m replayMessage) raw() []byte {
	before, after := m.from.codec.Join(len(m.data))
	return append(append([]byte(before), m.data...), after...)
}
