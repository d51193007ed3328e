package bridge

import (
	"context"
	"io"
	"net"
	"sync"

	"github.com/coder/websocket"
)

// outlet is a connection's way out, which the streams of a child share.
type outlet struct {
	ws    *websocket.Conn
	wire  *Wire
	total traffic // of what the child's streams send

	mu      sync.Mutex     // held by who sends
	long    io.WriteCloser // the long message being sent in pieces, or nil
	sender  *outbound      // whose message that is
	settled bool           // the last message has been sent
}

// begin lets the caller send until it calls end; all of that leaves in one write.
func (o *outlet) begin() error {
	o.mu.Lock()
	o.wire.Out.Hold()
	if o.settled {
		return net.ErrClosed
	}
	return nil
}

func (o *outlet) end() {
	o.wire.Out.Release()
	o.mu.Unlock()
}

// sendPiece sends a frame of a message that has, or will have, several.
func (o *outlet) sendPiece(s *outbound, typ websocket.MessageType, piece []byte, last bool) (err error) {
	if o.long == nil {
		// A background context: the library closes a connection whose write
		// is cancelled, and a write to a Wire does not wait anyway.
		if o.long, err = o.ws.Writer(context.Background(), typ); err != nil {
			return err
		}
		o.sender = s
	}
	if len(piece) > 0 {
		if _, err = o.long.Write(piece); err != nil {
			return err
		}
	}
	if last {
		err = o.long.Close()
		o.long, o.sender = nil, nil
	}
	return err
}

// sendBinary sends messages that are none of the child's streams, unless settle
// has been called.
func (o *outlet) sendBinary(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.settled {
		o.send(messages)
	}
}

// settle is sendBinary for the last messages: the streams send nothing after
// them. It does nothing if it has been called before.
func (o *outlet) settle(messages ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.settled {
		o.send(messages)
		o.settled = true
	}
}

func (o *outlet) send(messages [][]byte) {
	o.wire.Out.Hold()
	defer o.wire.Out.Release()
	for _, m := range messages {
		o.ws.Write(context.Background(), websocket.MessageBinary, m) // fails if the connection has ended
	}
}
