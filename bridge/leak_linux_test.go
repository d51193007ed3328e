package bridge

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// descriptors returns the number of our file descriptors.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// After Run, no goroutine of the session is left, and no descriptor except those of the client
// and of the test's child.
func TestRunLeaksNothing(t *testing.T) {
	for name, leave := range map[string]func(*session){
		"child exits":      func(s *session) { s.send("line"); s.expect("line"); s.expectClose(1000, "exit 0") },
		"client says bye":  func(s *session) { s.write(closeFrame(1000, "")) },
		"client closes":    func(s *session) { s.client.Close() },
		"client resets":    func(s *session) { s.reset() },
		"shutdown":         func(s *session) { s.Client.Shutdown(); s.expectClose(1001, "server shutting down") },
		"abort":            func(s *session) { s.Client.Abort() },
		"protocol error":   func(s *session) { s.write([]byte{0xff, 0xff}); s.client.Close() },
		"message too big":  func(s *session) { s.send("much too long"); s.expectClose(1009, "message over 10 bytes") },
		"closed by itself": func(s *session) { s.transport.(*webSocket).ws.CloseNow(); s.client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			c, ws, conn := connect(t, link{})
			goroutines, files := goleak.IgnoreCurrent(), descriptors(t)
			script := "sleep 1000"
			if name == "child exits" {
				script = "head -n 1"
			}
			s := newSession(ws, conn, startShell(t, script), Options{MaxMessage: 10})
			s.client = c
			go func() { s.ended <- s.Run() }() // ends when the client has disconnected
			leave(s)
			s.summary()
			goleak.VerifyNone(t, goroutines)
			c.Close()
			if n := descriptors(t); n > files-2 {
				t.Errorf("%d descriptors, %d before with the connection's two", n, files)
			}
		})
	}
}
