package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// encoding is one way in which viewers get the same messages.
type encoding struct {
	deflate  bool // compressed
	channels bool // with streams apart
	quiet    bool // without terminal queries
}

// sharedEncoder is the sink of all clients of one form: it gathers the frames of messages
// until they are taken.
type sharedEncoder struct {
	wire.Encoder
	encoding encoding
	pooled   []byte // what was gathered, in room that is used again

	messages, payload int // that stream and terminal have put into frames
}

func newSharedEncoder(f encoding) *sharedEncoder {
	return &sharedEncoder{Encoder: wire.Encoder{Deflate: f.deflate}, encoding: f}
}

// Message implements sink.
func (p *sharedEncoder) Message(typ websocket.MessageType, payload []byte) error {
	p.pooled = p.AppendMessage(p.pooled, typ, payload)
	return nil
}

// Fragment implements sink.
func (p *sharedEncoder) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	p.pooled = p.AppendFragment(p.pooled, typ, payload, last)
	return nil
}

// take returns what was gathered, and empties the press. messages and payload count
// that, unless stream or terminal did.
func (p *sharedEncoder) take(messages, payload int) *wire.Batch {
	taken := &wire.Batch{Frames: append([]byte(nil), p.pooled...), Messages: messages, Payload: payload}
	if p.encoding.channels || p.messages > 0 {
		taken.Messages, taken.Payload = p.messages, p.payload
		p.messages, p.payload = 0, 0
	}
	if p.pooled = p.pooled[:0]; cap(p.pooled) > 4*wire.BlockSize {
		p.pooled = nil
	}
	return taken
}

// stream adds bytes of a stream, as messages on a channel.
func (p *sharedEncoder) stream(channel byte, content []byte, maxSize int) {
	for len(content) > 0 {
		n := min(len(content), maxSize-channelRoom)
		p.Message(websocket.MessageBinary, append([]byte{channel}, content[:n]...)) // does not fail
		p.messages++
		p.payload += n
		content = content[n:]
	}
}

// terminal adds bytes of a terminal's output.
func (p *sharedEncoder) terminal(content []byte) {
	if p.encoding.channels {
		p.stream(channel.Stdout, content, maxStreamMessage)
		return
	}
	for len(content) > 0 {
		n := min(len(content), framing.MaxWhole)
		p.Message(websocket.MessageBinary, content[:n]) // does not fail
		p.messages++
		p.payload += n
		content = content[n:]
	}
}
