package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"wspipe/server/access"
)

// requestBody is the body of a CGI request. A Read fails if no data arrives within the timeout.
// Time in which the program does not read does not count.
type requestBody struct {
	io.Reader
	whole   bool // all of it has been read from the connection
	conn    *http.ResponseController
	timeout time.Duration

	mu      sync.Mutex
	stopped bool
	failed  *access.Refusal // see failure
}

// smallBody is the size up to which a body is read before the program starts, in bytes.
// Whatever the program does with it, the connection can then be kept.
const smallBody = 8 << 10

var (
	bodyTimedOut = &access.Refusal{Status: http.StatusRequestTimeout, Why: "timed out reading the request body"}
	brokenBody   = &access.Refusal{Status: http.StatusBadRequest, Why: "malformed or incomplete request body"}
)

// newRequestBody returns the body of r. It reads a small one.
func newRequestBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) (*requestBody, *access.Refusal) {
	b := &requestBody{Reader: r.Body, conn: http.NewResponseController(w), timeout: timeout}
	if r.ContentLength < 0 || r.ContentLength > smallBody {
		return b, nil
	}
	all := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(b, all); err != nil {
		return nil, b.fail()
	}
	b.Reader, b.whole = bytes.NewReader(all), true
	return b, nil
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.whole {
		return b.Reader.Read(p)
	}
	if !b.setDeadline(time.Now().Add(b.timeout)) {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		b.mu.Lock()
		switch {
		case b.stopped: // on purpose
		case errors.Is(err, os.ErrDeadlineExceeded):
			b.failed = bodyTimedOut
		default:
			b.failed = brokenBody
		}
		b.mu.Unlock()
	}
	return n, err
}

// setDeadline reports whether reading may go on: stop has not been called.
func (b *requestBody) setDeadline(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.conn.SetReadDeadline(t)
	}
	return !b.stopped
}

// stop makes a read fail, also one in progress.
func (b *requestBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.conn.SetReadDeadline(time.Now())
}

// fail stops b after a Read has failed, or net/http would wait for the rest. It returns the
// refusal.
func (b *requestBody) fail() *access.Refusal {
	b.stop()
	return b.failure()
}

// failure returns the refusal after a Read has failed, or nil.
func (b *requestBody) failure() *access.Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}
