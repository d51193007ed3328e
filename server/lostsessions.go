package server

import "sync"

// lostSessions has the sessions whose loss was reported to an EventSource. An EventSource
// reconnects after every end, until it gets 204.
type lostSessions struct {
	mu   sync.Mutex
	keys map[childKey]struct{}
}

// maxLost bounds the number of sessions. An EventSource reconnects within seconds.
const maxLost = 1024

// add adds the session of key. If there are too many, it removes another.
func (l *lostSessions) add(key childKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = make(map[childKey]struct{})
	}
	for other := range l.keys {
		if len(l.keys) < maxLost {
			break
		}
		delete(l.keys, other)
	}
	l.keys[key] = struct{}{}
}

// remove removes the session of key and reports whether it was present.
func (l *lostSessions) remove(key childKey) (found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found = l.keys[key]
	delete(l.keys, key)
	return found
}
