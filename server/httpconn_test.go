//go:build unix

package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"wspipe/cmd/wspipetest"
)

// deadlineWriter is an http.ResponseWriter with the read deadline of a net.Conn.
type deadlineWriter struct {
	http.ResponseWriter
	net.Conn
}

func (w deadlineWriter) Write(p []byte) (int, error)       { return w.ResponseWriter.Write(p) }
func (w deadlineWriter) SetReadDeadline(t time.Time) error { return w.Conn.SetReadDeadline(t) }

// TestSlowBody: it may take as long as it needs while some of it arrives.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{smallBody, 10 * smallBody, -1} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			w := deadlineWriter{httptest.NewRecorder(), near}
			sent := make(chan bool)
			go func() { // ends with the body
				defer close(sent)
				for range 100 {
					<-time.After(9 * time.Second)
					far.Write([]byte("x"))
				}
				if size != smallBody {
					<-time.After(11 * time.Second) // too late
				}
				far.Write(make([]byte, smallBody-100))
				far.Close()
			}()
			start := time.Now()
			body, why := newRequestBody(w, &http.Request{ContentLength: size, Body: near}, 10*time.Second)
			if why != nil {
				t.Fatalf("of %d bytes: %s after %v", size, why.Why, time.Since(start))
			}
			text, err := io.ReadAll(body)
			want := smallBody
			if size != smallBody {
				want = 100
			}
			if len(text) != want || wspipetest.IsTimeout(err) != (size != smallBody) || (body.failure() == bodyTimedOut) != wspipetest.IsTimeout(err) {
				t.Errorf("of %d bytes: %d, %v", size, len(text), err)
			}
			near.Close()
			<-sent
		})
	}
}

// TestSlowResponse: it may take as long as it needs while the client takes some of it.
func TestSlowResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := &httpConn{Conn: near, timeout: 30 * time.Second}
		c.limit()
		<-time.After(time.Hour) // nothing to take yet
		go func() {             // ends after the last read
			for range 10 {
				<-time.After(25 * time.Second)
				io.ReadFull(far, make([]byte, 1000))
			}
		}()
		start := time.Now()
		for {
			if _, err := c.write(func() (int64, error) { n, err := near.Write(make([]byte, 1000)); return int64(n), err }); err != nil {
				break
			}
		}
		if took := time.Since(start); took < 10*25*time.Second+29*time.Second || took > 10*25*time.Second+32*time.Second {
			t.Errorf("reset after %v, want 10 times 25 s and 30 s", took)
		}
		c.end()
		far.Close()
	})
}

// TestTimeoutDefaults: zero means these.
func TestTimeoutDefaults(t *testing.T) {
	t.Parallel()
	if got, want := (Timeouts{}).orDefault(), (Timeouts{10 * time.Second, 10 * time.Second, 30 * time.Second, 5 * time.Second, time.Second}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestUnreadableFile: root can read every file, so the tests of files cannot show it.
func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	if refusal := cannotRead(&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}); refusal.Status != 403 {
		t.Errorf("got %d, want 403", refusal.Status)
	}
}

// TestIdleServer: a server is idle after a time without clients, and not before.
func TestIdleServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tracker := newTracker(time.Minute)
		expect := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if got := len(tracker.idle); got != want {
				t.Errorf("idle: %d, want %d", got, want)
			}
		}
		expect(time.Minute-1, 0)
		tracker.begin()
		tracker.begin()
		expect(time.Hour, 0)
		tracker.done(nil)
		expect(time.Hour, 0)
		tracker.done(nil)
		expect(time.Minute-1, 0)
		expect(1, 1)
	})
}
