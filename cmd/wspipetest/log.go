package wspipetest

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Log is a log, or another output, that can be read and waited for while it is written.
type Log struct {
	mu   sync.Mutex
	more chan struct{} // closed by the next Write, if somebody waits
	text strings.Builder
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Await waits until the log contains s n times.
func (l *Log) Await(t testing.TB, s string, n int) {
	t.Helper()
	late := time.After(Patience)
	for {
		l.mu.Lock()
		if strings.Count(l.text.String(), s) >= n {
			l.mu.Unlock()
			return
		}
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-late:
			t.Fatalf("the log does not hold %d times %q:\n%s", n, s, l)
		}
	}
}
