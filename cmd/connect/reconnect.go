package connect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// How long to wait before another attempt: at first, and at most, whatever the
// server asks for. A connection that lasted for maxBackoff counts as success.
const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// keepConnected calls connection until it ends for good: always at once, unless
// again. It tells notice what it does in between, and stops when ctx is done.
func keepConnected(ctx context.Context, again bool, connection func(context.Context) result, notice func(string)) result {
	var b backoff
	for {
		e := connection(ctx)
		if !again || !e.retry || ctx.Err() != nil {
			return e
		}
		if e.duration >= maxBackoff {
			b = backoff{}
		}
		delay := max(b.next(), min(e.retryAfter, maxBackoff))
		notice(fmt.Sprintf("%v; connecting again in %v", e.err, delay.Round(100*time.Millisecond)))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return e
		}
	}
}

// backoff is how long to wait before the next attempt: longer each time.
type backoff struct{ last time.Duration }

// next returns the wait: a random part of it is left out, so that the clients of
// a server which was down do not come all at once.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, minBackoff), maxBackoff)
	return b.last - rand.N(b.last/2)
}
