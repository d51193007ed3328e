package server

import "sync"

// lostSessions are sessions of which an EventSource was told that they are lost. It
// connects again after any end, until it gets 204.
type lostSessions struct {
	mu   sync.Mutex
	keys map[childKey]struct{}
}

// maxLost is how many are kept. An EventSource connects again within seconds.
const maxLost = 1024

// add adds the session of key. If there are too many, another is forgotten.
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

// remove reports whether the session of key was there.
func (l *lostSessions) remove(key childKey) (found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found = l.keys[key]
	delete(l.keys, key)
	return found
}
