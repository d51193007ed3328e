package recording

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// TestFilesAreNotOverwritten has a file for each second in which the recording may start.
func TestFilesAreNotOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now().UTC()
	for i := range 120 {
		name := now.Add(time.Duration(i)*time.Second).Format("20060102T150405Z") + "-id.cast"
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	rec := Start(dir, Header{Session: &About{Session: "id"}}, slog.New(slog.NewTextHandler(&log, nil)))
	rec.Connect("192.0.2.1:5")
	rec.Exit("exit 0")
	rec.Disconnect(1000, "exit 0")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 120 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(filepath.Join(dir, f.Name())); string(text) != "old" {
			t.Errorf("%s: %q, %v", f.Name(), text, err)
		}
	}
	if !strings.Contains(log.String(), "cannot record") {
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
