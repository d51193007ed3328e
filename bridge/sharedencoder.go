package bridge

import (
	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
)

// encoding is how messages are encoded for a client. Clients with the same encoding get the
// same bytes.
type encoding struct {
	deflate  bool // compressed
	channels bool // a channel for each stream
	quiet    bool // without terminal queries

	body    BodyFormat // of an HTTP response; noBody for a WebSocket
	chunked bool       // the body is sent in chunks
	client  *muxClient // whose messages are numbered separately, or nil
}

// isStream reports whether clients get the child's output as streams, not as messages.
func (e encoding) isStream() bool { return e.channels || e.quiet || e.body == RawBody }

// sharedEncoder is the messageWriter of all clients with one encoding. It collects a batch
// until take.
type sharedEncoder struct {
	messageEncoder
	encoding encoding
	pooled   []byte // chunkRoom and the batch; the buffer is reused

	messages, payload int // added by stream and terminal

	begun bool // the last batch that was not empty ends within a message
}

// frameEncoder is the messageEncoder of WebSockets.
type frameEncoder struct{ wire.Encoder }

// countFrom implements messageEncoder. Frames have no numbers.
func (*frameEncoder) countFrom(int64) {}

// newSharedEncoder returns an encoder for the messages after the first number ones.
func newSharedEncoder(e encoding, number int64) *sharedEncoder {
	s := &sharedEncoder{encoding: e, pooled: make([]byte, chunkRoom)}
	if e.body == noBody {
		s.messageEncoder = &frameEncoder{wire.Encoder{Deflate: e.deflate}}
	} else {
		s.messageEncoder = &bodyEncoder{format: e.body, number: number}
	}
	return s
}

// Message implements messageWriter.
func (s *sharedEncoder) Message(typ websocket.MessageType, payload []byte) error {
	s.pooled = s.AppendMessage(s.pooled, typ, payload)
	return nil
}

// Fragment implements messageWriter.
func (s *sharedEncoder) Fragment(typ websocket.MessageType, payload []byte, last bool) error {
	s.pooled = s.AppendFragment(s.pooled, typ, payload, last)
	return nil
}

// take returns the batch and begins another. messages and payload are its counts, unless
// stream or terminal have counted.
func (s *sharedEncoder) take(messages, payload int) *wire.Batch {
	taken := &wire.Batch{Frames: append([]byte(nil), sealChunk(s.pooled, s.encoding.chunked)...), Messages: messages, Payload: payload}
	if s.encoding.channels || s.messages > 0 {
		taken.Messages, taken.Payload = s.messages, s.payload
		s.messages, s.payload = 0, 0
	}
	if s.pooled = s.pooled[:chunkRoom]; cap(s.pooled) > 4*wire.BlockSize {
		s.pooled = make([]byte, chunkRoom)
	}
	return taken
}

// stream adds part of a stream, as messages on a channel or unchanged.
func (s *sharedEncoder) stream(number byte, content []byte, maxSize int) {
	if s.encoding.body == RawBody {
		if number == channel.Stdout {
			s.pooled = append(s.pooled, content...)
		}
		return
	}
	for len(content) > 0 {
		n := min(len(content), maxSize-channelRoom)
		s.Message(websocket.MessageBinary, append([]byte{number}, content[:n]...)) // does not fail
		s.messages++
		s.payload += n
		content = content[n:]
	}
}

// terminal adds part of a terminal's output.
func (s *sharedEncoder) terminal(content []byte) {
	if s.encoding.channels {
		s.stream(channel.Stdout, content, maxStreamMessage)
		return
	}
	for len(content) > 0 {
		n := min(len(content), framing.MaxWhole)
		s.Message(websocket.MessageBinary, content[:n]) // does not fail
		s.messages++
		s.payload += n
		content = content[n:]
	}
}
