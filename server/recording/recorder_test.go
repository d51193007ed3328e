package recording

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// TestDiskThatTakesNothing has a pipe that nobody reads for a disk. The child must not wait for
// it for long, and of the recording there is a beginning.
func TestDiskThatTakesNothing(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var log bytes.Buffer
	rec := begin(w, Header{Version: 2}, slog.New(slog.NewTextHandler(&log, nil)))
	rec.Connect("192.0.2.1:5")
	output := []byte(strings.Repeat("x", 1<<20))
	for range 2 * maxPending / len(output) {
		rec.Output(output) // returns
	}
	written := make(chan string)
	go func() { // ends when the file is closed
		text, _ := io.ReadAll(r)
		written <- string(text)
	}()
	rec.Exit("exit 0")
	rec.Disconnect(1000, "exit 0") // returns when the file is closed
	if text := <-written; !strings.HasPrefix(text, `{"version":2,`) || strings.Contains(text, "exit 0") {
		t.Errorf("written: %.100q, %d bytes", text, len(text))
	}
	if n := strings.Count(log.String(), "recording stopped"); n != 1 || !strings.Contains(log.String(), errTooSlow.Error()) {
		t.Errorf("log %q", log.String())
	}
}

func TestNilRecorderDoesNothing(t *testing.T) {
	t.Parallel()
	var rec *Recorder
	rec.Connect("192.0.2.1:5")
	rec.Output([]byte("x"))
	rec.Resize(80, 24)
	rec.Disconnect(1000, "")
	rec.Exit("exit 0")
}
