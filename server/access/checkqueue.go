package access

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
)

// maxChecks bounds how many different passwords of one network are being checked or queued.
const maxChecks = 64

// errQueueFull means that the queue of the client's network has maxChecks checks.
var errQueueFull = errors.New("too many passwords from one network")

// checkQueues runs checks of passwords, which are slow (bcrypt). The checks for one network
// run one after another. However many they are, they delay a check for another network by at
// most one of them.
type checkQueues struct {
	slots chan struct{} // bounds how many checks run, for all networks

	mu        sync.Mutex
	byNetwork map[netip.Prefix]*checkQueue
}

// checkQueue has the checks for one network. The mutex of checkQueues guards it.
type checkQueue struct {
	waiting []*check
	byCode  map[digest]*check // the waiting ones and the running one
}

// check is one check. All clients of a network that send the same password at the same time
// share it: a page opens several connections.
type check struct {
	code    digest // of user and password
	run     func() (ok bool)
	clients int           // waiting for the result
	done    chan struct{} // closed after run
	ok      bool          // the result
}

func newCheckQueues() *checkQueues {
	// bcrypt must leave processors to the running sessions.
	slots := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	return &checkQueues{slots: slots, byNetwork: make(map[netip.Prefix]*checkQueue)}
}

// networkOf returns the network of a client at addr: the address or, for IPv6, its /64, which
// usually belongs to one user. The clients of a unix socket have no addresses, and one network.
func networkOf(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.WithZone("").Prefix(bits) // fails only without an address
	return network
}

// check queues run for network and returns its result. The error is errQueueFull or that of
// ctx. run is not called if all its clients have left.
func (q *checkQueues) check(ctx context.Context, network netip.Prefix, code digest, run func() bool) (ok bool, err error) {
	c := q.join(network, code, run)
	if c == nil {
		return false, errQueueFull
	}
	select {
	case <-c.done:
		return c.ok, nil
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		c.clients--
		return false, ctx.Err()
	}
}

// join returns the check of code, to which it adds a client, or nil if the queue is full.
func (q *checkQueues) join(network netip.Prefix, code digest, run func() bool) *check {
	q.mu.Lock()
	defer q.mu.Unlock()
	own := q.byNetwork[network]
	if own == nil {
		own = &checkQueue{byCode: make(map[digest]*check)}
		q.byNetwork[network] = own
		go q.runAll(network, own) // ends with the last check; unblocked by those of other networks
	}
	c := own.byCode[code]
	if c == nil {
		if len(own.byCode) == maxChecks {
			return nil
		}
		c = &check{code: code, run: run, done: make(chan struct{})}
		own.byCode[code] = c
		own.waiting = append(own.waiting, c)
	}
	c.clients++
	return c
}

// runAll runs the checks of own in order, until there are none.
func (q *checkQueues) runAll(network netip.Prefix, own *checkQueue) {
	for more := true; more; {
		q.slots <- struct{}{}
		c := q.next(network, own)
		if more = c != nil; more {
			c.ok = c.run()
			q.finish(own, c)
		}
		<-q.slots
	}
}

// next takes the first check that has clients. If there is none it returns nil and removes own.
func (q *checkQueues) next(network netip.Prefix, own *checkQueue) *check {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(own.waiting) > 0 {
		c := own.waiting[0]
		own.waiting = own.waiting[1:]
		if c.clients > 0 {
			return c
		}
		delete(own.byCode, c.code)
	}
	delete(q.byNetwork, network)
	return nil
}

func (q *checkQueues) finish(own *checkQueue, c *check) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(own.byCode, c.code)
	close(c.done)
}
