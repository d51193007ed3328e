//go:build unix

package bridge

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
)

// records collects the logged lines.
type records struct {
	slog.Handler
	t     *testing.T
	mu    sync.Mutex
	lines []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }

func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var pid int64
	rec.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "pid":
			pid = a.Value.Int64()
		case "line":
			r.lines = append(r.lines, a.Value.String())
		}
		return true
	})
	if rec.Level != slog.LevelInfo || rec.Message != "stderr" || pid != 1 {
		r.t.Errorf("record %v", rec)
	}
	return nil
}

// TestLineLog: a lineLogger makes the same records from a text, however it is chunked.
func TestLineLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":            {"", nil},
		"lines":              {"a\n\r\n\nb\r\n", []string{"a", "", "", "b"}},
		"no last newline":    {"a\nb", []string{"a", "b"}},
		"last is CR":         {"a\n\r", []string{"a", ""}},
		"CR inside":          {"a\rb\n", []string{"a\rb"}},
		"1 MiB with newline": {x(1<<20-1) + "\na\n", []string{x(1<<20 - 1), "a"}},
		"over 1 MiB":         {x(1<<20) + "y\nend", []string{x(1 << 20), "y", "end"}},
		"over 2 MiB":         {x(2<<20) + "yy", []string{x(1 << 20), x(1 << 20), "yy"}},
		"over 1 MiB, then":   {"a\n" + x(1<<20+5) + "\n\n" + x(10), []string{"a", x(1 << 20), x(5), "", x(10)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 7, 1000, 64 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
				if len(test.text)/size > 10_000 {
					continue // would be slow
				}
				log := &records{t: t}
				l := lineLogger{log: slog.New(log), pid: 1}
				for p := range slices.Chunk([]byte(test.text), size) {
					if n, err := l.Write(p); n != len(p) || err != nil {
						t.Errorf("Write: %d, %v", n, err)
					}
					if len(l.rest) > maxLogLine {
						t.Errorf("%d bytes are kept", len(l.rest))
					}
					clear(p) // the caller may reuse it
				}
				l.end()
				l.end()
				same(t, log.lines, test.want)
			}
		})
	}
}

// jsonLog returns a log whose records are lines of JSON in w.
func jsonLog(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }
