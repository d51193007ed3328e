//go:build linux

package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"wspipe/bench/client"
)

const (
	// opening is how many connections are being opened at a time.
	opening = 32
	// filesEach is how many files a server has open for a connection with a child
	// of its own: a socket, three pipes, and the child as such (pidfd_open(2)).
	filesEach = 5
	// spareFiles is how many more it may need: its own, and those of connections
	// whose child is being started, which have the other ends of pipes, too.
	spareFiles = 500
)

func idleWorkload() workload {
	wspipe := func(b *bench) string { return b.wspipe }
	websocketd := func(b *bench) string { return b.websocketd }
	const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	return workload{
		name: "idle",
		what: "Connections that do nothing, each with a child of its own (cat): the server's memory, without the kernel's. " +
			"At most as many as the limit of open files allows (5 each); with one child for all it is one each.",
		rounds: 3,
		contenders: []contender{
			{"wspipe", idling{server: wspipe, flags: []string{"--maxforks=0"}}.run},
			{"websocketd", idling{server: websocketd}.run},
			{"wspipe --compress", idling{server: wspipe, flags: []string{"--maxforks=0", "--compress"}, header: offer}.run},
			{"wspipe --share=broadcast", idling{server: wspipe, flags: []string{"--share=broadcast"}, shared: true}.run},
		},
		bars: []bar{{figure: memoryEach(1000), contender: "wspipe", atMost: 25}},
	}
}

// idling is a server with connections that do nothing.
type idling struct {
	server func(*bench) string
	flags  []string
	header string // of each client
	shared bool   // there is one child for all
}

func (i idling) run(b *bench) (all []figure, err error) {
	for _, whole := range []int{100, 1000, 10_000} {
		// A server that is new each time: what one has left over would be the next one's.
		figures, err := b.serve(i.server(b), i.flags, []string{"cat"}, func(s *server) ([]figure, error) {
			return i.measure(b, s, b.n(whole))
		})
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
}

// memoryEach names the figure of n connections.
func memoryEach(n int) string { return fmt.Sprintf("memory of each, connections: %d", n) }

// measure opens n connections to s, or as many as s may have.
func (i idling) measure(b *bench, s *server, n int) ([]figure, error) {
	files, err := mayOpen(s.pid)
	if err != nil {
		return nil, err
	}
	if !i.shared {
		n = min(n, (files-spareFiles)/filesEach)
	}
	// What a server needs once, for its first connections, is no connection's.
	if err := i.hold(b, s, min(n, 10), func() error { return nil }); err != nil {
		return nil, err
	}
	before, err := b.settledMemory(s.pid)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var opened time.Duration
	var with int64
	err = i.hold(b, s, n, func() (err error) {
		opened = time.Since(began)
		with, err = b.settledMemory(s.pid)
		return err
	})
	return []figure{
		{memoryEach(n), "KB", float64(with-before) / 1024 / float64(n), true},
		{fmt.Sprintf("time to open, connections: %d", n), "s", opened.Seconds(), true},
	}, err
}

// hold opens n connections, calls meanwhile when all are there, with their
// children, and closes them. All must have lasted so long.
func (i idling) hold(b *bench, s *server, n int, meanwhile func() error) error {
	conns, err := i.open(b, s, n)
	w := watch(conns)
	if err == nil {
		err = meanwhile()
	}
	if ended := w.ended.Load(); err == nil && ended > 0 {
		err = fmt.Errorf("%d of %d idle connections have ended", ended, n)
	}
	w.close()
	return errors.Join(err, until("every child has gone", func() bool { return len(childrenOf(s.pid)) == 0 }))
}

// open opens n connections, or as many as it can, some at a time. It waits for
// their children: a server may accept connections faster than it can start what
// is to run for them.
func (i idling) open(b *bench, s *server, n int) (conns []*client.Conn, err error) {
	opt := client.Options{Deadline: b.deadline(), Buffer: 1, Header: i.header}
	for err == nil && len(conns) < n {
		var more []*client.Conn
		more, err = openSome(min(opening, n-len(conns)), s.url, opt)
		conns = append(conns, more...)
		if err == nil && !i.shared {
			err = until("each connection has its child", func() bool { return len(childrenOf(s.pid)) >= len(conns) })
		}
	}
	return conns, err
}

// openSome opens n connections at once.
func openSome(n int, url string, opt client.Options) (conns []*client.Conn, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for range n {
		all.Go(func() { // ends with the handshake, at the deadline at the latest
			c, failed := client.Open(url, opt)
			mu.Lock()
			defer mu.Unlock()
			if err = errors.Join(err, failed); failed == nil {
				conns = append(conns, c)
			}
		})
	}
	all.Wait()
	return conns, err
}

// watched are connections that answer pings.
type watched struct {
	conns    []*client.Conn
	watching sync.WaitGroup
	ended    atomic.Int64
}

func watch(conns []*client.Conn) *watched {
	w := &watched{conns: conns}
	for _, c := range conns {
		w.watching.Go(func() { // ends with the connection; unblocked by close
			for {
				if _, _, err := c.Next(); err != nil {
					w.ended.Add(1)
					return
				}
			}
		})
	}
	return w
}

func (w *watched) close() {
	for _, c := range w.conns {
		c.Close()
	}
	w.watching.Wait()
}

const (
	// settleTime is how long memory must have stayed the same: wspipe looks after its
	// garbage when it has been quiet for a while.
	settleTime = 5 * time.Second
	// shortSettleTime is that for work of a small scale.
	shortSettleTime = time.Second
	// sampleTime is how often it is looked at.
	sampleTime = 100 * time.Millisecond
)

// settledMemory waits until a process's memory stays as it is, within 1 % or
// 128 KiB, and returns it. Go frees what it does not need any more in the background, at
// leisure, and a burst of openings leaves more behind than the connections hold
// later: soon after, memory would be a matter of chance.
func (b *bench) settledMemory(pid int) (int64, error) {
	still := settleTime
	if b.scale < 1 {
		still = shortSettleTime
	}
	var last []int64
	for late := time.Now().Add(patience); ; time.Sleep(sampleTime) {
		u, err := usageOf(pid)
		if err != nil {
			return 0, err
		}
		last = append(last, u.rss)
		if n := len(last); n > int(still/sampleTime) {
			last = last[1:]
			least, most := u.rss, u.rss
			for _, rss := range last {
				least, most = min(least, rss), max(most, rss)
			}
			if most-least <= max(u.rss/100, 128<<10) {
				return u.rss, nil
			}
		}
		if time.Now().After(late) {
			return 0, fmt.Errorf("memory does not settle: it is %d bytes now", u.rss)
		}
	}
}
