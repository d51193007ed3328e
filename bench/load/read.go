package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bench/client"
)

// options are the flags of load read.
type options struct {
	url                   string
	readers, late, paused int
	every                 int64 // lines between two late ones
	buffer                int   // receive buffer of the paused ones; 0: the kernel's choice
	until                 int64 // the line that ends the pause; 0: none does
	stall                 bool  // the pause ends when nothing comes
	limit                 time.Duration
}

const (
	// stallTime is how long nothing must come to be a stall.
	stallTime = time.Second
	// lookTime is how often what nobody announces is looked at.
	lookTime = time.Millisecond
	// dialing is how many clients connect at a time.
	dialing = 64
)

// load is a run of load read.
type load struct {
	options
	ctx      context.Context // its end is the deadline, if it comes before
	deadline time.Time
	seen     atomic.Int64  // the highest number that a reader has had; -1 before the first
	ended    chan struct{} // closed when the readers have ended
	resume   chan struct{} // closed when the paused ones may read
	delays   client.Delays // of the readers

	mu  sync.Mutex
	err error // of the first client that could not connect
	res result
}

// read runs the clients to their end, which comes with that of ctx at the
// latest.
func read(ctx context.Context, opt options) (result, error) {
	l := &load{options: opt, ctx: ctx, deadline: time.Now().Add(opt.limit),
		ended: make(chan struct{}), resume: make(chan struct{})}
	l.seen.Store(-1)
	began := time.Now()
	var readers, others sync.WaitGroup
	places := make(chan struct{}, dialing)
	start := func(all *sync.WaitGroup, n int, f func()) {
		for range n {
			places <- struct{}{}
			all.Go(f) // ends with the connection, at the deadline at the latest
		}
	}
	connected := func() { <-places }
	start(&others, opt.paused, func() { l.follow(&l.res.Paused, opt.buffer, nil, connected) })
	start(&readers, opt.readers, func() { l.follow(&l.res.Readers, 0, &l.delays, connected) })
	others.Go(l.sendLate)    // ends with the last of them, or with the readers
	others.Go(l.awaitResume) // ends with the readers at the latest
	readers.Wait()
	l.res.Seconds = time.Since(began).Seconds()
	close(l.ended)
	others.Wait()
	l.res.Rate = float64(l.res.Readers.Messages) / l.res.Seconds
	l.res.Delay = summarize(&l.delays)
	return l.res, l.err
}

// follow is a client that reads whatever there is, and is counted in g. connected is
// called when it is connected, or cannot.
func (l *load) follow(g *group, receive int, d *client.Delays, connected func()) {
	before := l.seen.Load()
	c, err := client.Open(l.url, client.Options{Deadline: l.deadline, Receive: receive, Buffer: 32 << 10})
	connected()
	if err != nil {
		l.fail(err)
		return
	}
	if g == &l.res.Paused {
		<-l.resume
	}
	defer c.Close()
	defer context.AfterFunc(l.ctx, func() { c.SetDeadline(time.Now()) })()
	s := sight{last: -1}
	front, _, err := c.Next()
	for ; err == nil; front, _, err = c.Next() {
		number, sent, ok := parse(front)
		s.take(number, sent, ok, before, c.ReadAt.UnixNano())
		if d != nil && sent > 0 {
			d.Add(time.Duration(c.ReadAt.UnixNano() - sent))
		}
		if g == &l.res.Readers {
			l.note(number)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g.add(&s, endOf(err))
}

// endOf is how a connection ended: code and reason of the close frame, or what
// else it was.
func endOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "time is up"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the ports, so that equal ends are equal
	}
	return err.Error()
}

// note makes number what has been seen, if it is the highest.
func (l *load) note(number int64) {
	for seen := l.seen.Load(); number > seen && !l.seen.CompareAndSwap(seen, number); {
		seen = l.seen.Load()
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

// sendLate lets the late clients come, as the readers go on.
func (l *load) sendLate() {
	var all sync.WaitGroup
	defer all.Wait()
	for i := range l.late {
		for l.seen.Load() < l.every*int64(i+1) {
			select {
			case <-l.ended:
				return
			case <-time.After(lookTime):
			}
		}
		all.Go(func() { l.follow(&l.res.Late, 0, nil, func() {}) }) // ends as start's do
	}
}

// awaitResume lets the paused clients read when it is time.
func (l *load) awaitResume() {
	defer close(l.resume)
	before, since := int64(-1), time.Now()
	for {
		seen := l.seen.Load()
		if seen != before {
			before, since = seen, time.Now()
		}
		l.res.ResumedAt = seen
		if l.until > 0 && seen >= l.until || l.stall && seen >= 0 && time.Since(since) > stallTime {
			return
		}
		select {
		case <-l.ended:
			l.res.ResumedAt = l.seen.Load()
			return
		case <-time.After(lookTime):
		}
	}
}

// parse returns a line's number and when it was printed, in Unix nanoseconds, 0
// if it does not tell.
func parse(front []byte) (number, sent int64, ok bool) {
	first, rest, _ := bytes.Cut(front, []byte(" "))
	second, _, _ := bytes.Cut(rest, []byte(" "))
	number, err := strconv.ParseInt(string(first), 10, 64)
	sent, _ = strconv.ParseInt(string(second), 10, 64)
	return number, sent, err == nil
}
