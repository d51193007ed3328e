package watch

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestValue changes a file in several steps.
func TestValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	synctest.Test(t, func(t *testing.T) {
		log := &strings.Builder{}
		v, err := New(slog.New(slog.NewTextHandler(log, nil)), func() (string, error) {
			content, err := ReadFile(path)
			if string(content) == "invalid" {
				err = errors.New("invalid")
			}
			return string(content), err
		}, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			do     func()
			age    time.Duration // of the last check
			want   string
			errors int // logged so far
		}{
			{func() {}, 0, "one", 0},
			{func() { write("three") }, Interval - 1, "one", 0},
			{func() {}, 1, "three", 0},
			{func() { write("invalid") }, Interval, "three", 1},
			{func() {}, Interval, "three", 1},
			{func() { os.Remove(path) }, Interval, "three", 2},
			{func() { write("four"); v.Reload() }, 0, "four", 2},
			{func() { os.Remove(path); os.Mkdir(path, 0o700); v.Reload() }, 0, "four", 3},
		} {
			step.do()
			time.Sleep(step.age) // on the bubble's clock
			if got := v.Get(); got != step.want || strings.Count(log.String(), "level=ERROR") != step.errors {
				t.Errorf("got %q, want %q and %d errors; the log is\n%s", got, step.want, step.errors, log)
			}
		}
	})
}

func TestReadFileNamesTheCauseAlone(t *testing.T) {
	_, err := ReadFile(filepath.Join(t.TempDir(), "missing"))
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
}
