package bridge

import (
	"sync/atomic"
	"time"

	"wspipe/bridge/wire"
)

// Traffic is what went one way in a session.
type Traffic struct {
	// Messages and Bytes count messages and their payload.
	Messages, Bytes int64
}

// trafficCounter counts one direction. One goroutine counts at a time; others may read.
type trafficCounter struct {
	messages, bytes atomic.Int64
	touched         atomic.Int64 // Unix nanoseconds
}

// count adds size bytes of payload, and a message if they end one.
func (t *trafficCounter) count(last bool, size int) {
	if last {
		t.messages.Add(1)
	}
	t.bytes.Add(int64(size))
}

// add counts what is in b.
func (t *trafficCounter) add(b *wire.Batch) {
	t.messages.Add(int64(b.Messages))
	t.bytes.Add(int64(b.Payload))
}

// touch notes that messages went through just now.
func (t *trafficCounter) touch() { t.touched.Store(time.Now().UnixNano()) }

// quiet returns how long no message has gone through.
func (t *trafficCounter) quiet() time.Duration { return time.Since(time.Unix(0, t.touched.Load())) }

func (t *trafficCounter) total() Traffic {
	return Traffic{Messages: t.messages.Load(), Bytes: t.bytes.Load()}
}
