package bridge

import (
	"sync/atomic"
	"time"

	"wspipe/bridge/wire"
)

// Traffic counts what went in one direction of a connection.
type Traffic struct {
	// Messages counts complete messages, Bytes their payload.
	Messages, Bytes int64
}

// trafficCounter counts one direction. Only one goroutine counts; any may read.
type trafficCounter struct {
	messages, bytes atomic.Int64
	touched         atomic.Int64 // Unix nanoseconds
}

// count adds size bytes of payload, and a message if last is set.
func (t *trafficCounter) count(last bool, size int) {
	if last {
		t.messages.Add(1)
	}
	t.bytes.Add(int64(size))
}

// add counts the contents of b.
func (t *trafficCounter) add(b *wire.Batch) {
	t.messages.Add(int64(b.Messages))
	t.bytes.Add(int64(b.Payload))
}

// touch records that messages were carried just now.
func (t *trafficCounter) touch() { t.touched.Store(time.Now().UnixNano()) }

// quiet returns the time since messages were last carried.
func (t *trafficCounter) quiet() time.Duration { return time.Since(time.Unix(0, t.touched.Load())) }

func (t *trafficCounter) total() Traffic {
	return Traffic{Messages: t.messages.Load(), Bytes: t.bytes.Load()}
}
