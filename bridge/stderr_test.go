//go:build unix

package bridge

import (
	"context"
	"log/slog"
	"slices"
	"strings"
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

func TestStderrIsLoggedByTheLine(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		stderr string
		want   []string
	}{
		"nothing":          {"", nil},
		"lines":            {"a\nb\n", []string{"a", "b"}},
		"CR LF":            {"a\r\nb\r\n", []string{"a", "b"}},
		"empty lines":      {"\n\na\n", []string{"", "", "a"}},
		"no last newline":  {"a\nb", []string{"a", "b"}},
		"1 KiB":            {x(1023) + "\n" + x(1024) + "\n" + x(1025) + "\nend", []string{x(1023), x(1024), x(1025), "end"}},
		"100 KB":           {x(100_000) + "\n" + x(10) + "\n", []string{x(100_000), x(10)}},
		"many":             {strings.Repeat(x(99)+"\n", 10_000), slices.Repeat([]string{x(99)}, 10_000)},
		"1 MiB":            {x(1<<20-1) + "\nend", []string{x(1<<20 - 1), "end"}},
		"exactly 1 MiB":    {x(1<<20) + "\nend\n", []string{x(1 << 20), "end"}},
		"over 1 MiB":       {x(1<<20) + "y\nend", []string{x(1 << 20), "y", "end"}},
		"3 MB, no newline": {x(3_000_000), []string{x(1 << 20), x(1 << 20), x(3_000_000 - 2<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &records{t: t}
			child := newPuppet(t)
			s := start(t, child, Options{Log: slog.New(log)})
			if _, err := child.far[2].WriteString(test.stderr); err != nil {
				t.Fatal(err)
			}
			child.exit(0, "")
			s.expectClose(1000, "exit 0")
			s.summary()
			same(t, log.lines, test.want)
		})
	}
}
