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
	// maxScreen is that for a terminal, of which a newcomer gets as much as may
	// still be on the screen.
	maxScreen = 64 << 10
	// recordOverhead is what a message costs beside its bytes, about: empty ones are
	// not for nothing.
	recordOverhead = 64
	// maxMerged is up to which size what a terminal shows is one record, in bytes.
	maxMerged = 4 << 10
)

// recordedMessage is a message as the child wrote it.
type recordedMessage struct {
	from *output // whose it is
	data []byte
}

// replay has the last messages of a child, for those who come later.
type replay struct {
	maxMessages, maxBytes int
	// terminal is the state before the oldest message if the messages are a terminal's
	// output, so that their boundaries mean nothing; otherwise nil.
	terminal *vt.State

	messages []recordedMessage
	size     int // of them, in bytes
}

// add adds messages, and forgets the oldest.
func (r *replay) add(more []recordedMessage) {
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
		r.messages[n] = recordedMessage{}
		n++
	}
	r.messages = r.messages[n:]
}

// recorder gathers the messages of one stream as they are cut.
type recorder struct {
	from    *output
	data    []byte // of a message that is not complete
	tooLong bool
	done    []recordedMessage
}

// piece takes what the child wrote of a message.
func (r *recorder) piece(p []byte, last bool) {
	if r.tooLong = r.tooLong || len(r.data)+len(p) > maxReplay; r.tooLong {
		r.data = nil
	} else {
		r.data = append(r.data, p...)
	}
	if !last {
		return
	}
	if !r.tooLong {
		r.done = append(r.done, recordedMessage{r.from, r.data})
	}
	r.data, r.tooLong = nil, false
}

// take returns the messages that are complete.
func (r *recorder) take() []recordedMessage {
	done := r.done
	r.done = nil
	return done
}

// encode returns m as the payload of a plain message.
func (m recordedMessage) encode() []byte {
	switch {
	case m.from.stream != "":
		d := framing.AppendJSONHead(nil, m.from.stream)
		return append(framing.AppendJSON(d, m.data), framing.JSONEnd...)
	case m.from.typ == websocket.MessageText && !utf8.Valid(m.data):
		return framing.AppendValid(nil, m.data)
	}
	return m.data
}

// raw returns m as the child may have written it.
func (m recordedMessage) raw() []byte {
	before, after := m.from.codec.Join(len(m.data))
	return append(append([]byte(before), m.data...), after...)
}
