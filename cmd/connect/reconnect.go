package connect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// minBackoff is the delay before the second attempt. maxBackoff bounds the delay, also one
// that the server requests. A connection that lasted for maxBackoff resets the delay.
const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// keepConnected calls connectOnce, once if reconnect is false, otherwise until a result
// does not allow another attempt or ctx is done. It reports each reconnect to notice.
func keepConnected(ctx context.Context, reconnect bool, connectOnce func(context.Context) result, notice func(string)) result {
	var b backoff
	for {
		r := connectOnce(ctx)
		if !reconnect || !r.retry || ctx.Err() != nil {
			return r
		}
		if r.duration >= maxBackoff {
			b = backoff{}
		}
		delay := max(b.next(), min(r.retryAfter, maxBackoff))
		notice(fmt.Sprintf("%v; reconnecting in %v", r.err, delay.Round(100*time.Millisecond)))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return r
		}
	}
}

// backoff computes the delay before the next attempt, which doubles each time.
type backoff struct{ last time.Duration }

// next returns the next delay. It is shortened at random, so that the clients of a server
// that was down do not reconnect at the same moment.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, minBackoff), maxBackoff)
	return b.last - rand.N(b.last/2)
}
