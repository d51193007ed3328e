package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
)

// burst is what leaves a child at once, as frames, for every viewer of one form.
type burst struct {
	frames   []byte
	messages int  // that end in it
	payload  int  // of messages, in bytes
	whole    bool // it has neither the end nor the beginning of another
}

// form is one way in which viewers get the same messages.
type form struct {
	deflate  bool // compressed
	channels bool // with streams apart
	quiet    bool // without terminal queries
}

// press is the sink of all clients of one form: it gathers the frames of messages
// until they are taken.
type press struct {
	frames
	form   form
	pooled []byte // what was gathered, in room that is used again

	messages, payload int // that stream and terminal have put into frames
}

func newPress(f form) *press { return &press{frames: frames{deflate: f.deflate}, form: f} }

// message implements sink.
func (p *press) message(typ websocket.MessageType, payload []byte) error {
	p.pooled = p.appendMessage(p.pooled, typ, payload)
	return nil
}

// piece implements sink.
func (p *press) piece(typ websocket.MessageType, payload []byte, last bool) error {
	p.pooled = p.appendFragment(p.pooled, typ, payload, last)
	return nil
}

// take returns what was gathered, and empties the press. messages and payload count
// that, unless stream or terminal did.
func (p *press) take(messages, payload int) *burst {
	taken := &burst{frames: append([]byte(nil), p.pooled...), messages: messages, payload: payload}
	if p.form.channels || p.messages > 0 {
		taken.messages, taken.payload = p.messages, p.payload
		p.messages, p.payload = 0, 0
	}
	if p.pooled = p.pooled[:0]; cap(p.pooled) > 4*blockSize {
		p.pooled = nil
	}
	return taken
}

// stream adds bytes of a stream, as messages on a channel.
func (p *press) stream(channel byte, content []byte, maxSize int) {
	for len(content) > 0 {
		n := min(len(content), maxSize-lead)
		p.message(websocket.MessageBinary, append([]byte{channel}, content[:n]...)) // does not fail
		p.messages++
		p.payload += n
		content = content[n:]
	}
}

// terminal adds bytes of a terminal's output.
func (p *press) terminal(content []byte) {
	if p.form.channels {
		p.stream(channel.Stdout, content, maxStreamMessage)
		return
	}
	for len(content) > 0 {
		n := min(len(content), framing.MaxWhole)
		p.message(websocket.MessageBinary, content[:n]) // does not fail
		p.messages++
		p.payload += n
		content = content[n:]
	}
}
