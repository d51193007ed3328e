//go:build unix

package wspipetest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

const ours = `{"version":2,"width":80,"height":24,"wspipe":{"endpoint":"/","session":"x","user":""}}` + "\n"

func TestReplay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file           string
		args           []string
		status         int
		stdout, stderr string
	}{
		"status":    {ours + `[0.1, "o", "a\u00e9\u001b[m"]` + "\n" + `[0.2, "e", "b"]` + "\n" + `[0.3, "m", "exit 3"]` + "\n", nil, 3, "a\u00e9\x1b[m", "b"},
		"signal":    {ours + `[0, "m", "connect 1.2.3.4:5"]` + "\n" + `[0, "m", "signal TERM"]` + "\n", nil, 143, "", ""},
		"no end":    {ours + `[0, "o", "a"]`, nil, 0, "a", ""},
		"foreign":   {`{"version": 2, "width": 80, "height": 24, "env": {}}` + "\n" + `[0, "x", {"y": 1}]` + "\n" + `[0, "m", "exit 3"]` + "\n" + `[0, "o", "a"]` + "\n", nil, 0, "a", ""},
		"input":     {ours + `[0, "i", "secret"]` + "\n" + `[0, "r", "100x30"]` + "\n", nil, 0, "", ""},
		"idle":      {ours + `[0, "o", "a"]` + "\n" + `[1e9, "o", "b"]` + "\n", []string{"--idle=1ms"}, 0, "ab", ""},
		"speed":     {ours + `[0, "o", "a"]` + "\n" + `[1000, "o", "b"]` + "\n", []string{"--speed=1000000"}, 0, "ab", ""},
		"backwards": {ours + `[5e-3, "o", "a"]` + "\n" + `[-1, "o", "b"]` + "\n", nil, 0, "ab", ""},
		"damaged":   {ours + `[0, "o", "a"]` + "\n" + `[0, "o", "b` + "\n", nil, 1, "a", "wspipe: cannot replay FILE: line 3: not an event, [TIME, \"CODE\", \"DATA\"]\n"},
		"no header": {"hello\n", nil, 1, "", "wspipe: cannot replay FILE: line 1: not the header of an asciicast v2 recording\n"},
		"version 1": {`{"version": 1, "stdout": []}`, nil, 1, "", "wspipe: cannot replay FILE: line 1: not the header of an asciicast v2 recording\n"},
		"empty":     {"", nil, 1, "", "wspipe: cannot replay FILE: line 1: not the header of an asciicast v2 recording\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "FILE")
			write(t, file, test.file)
			cmd := exec.Command(wspipetest.Binary(t), append([]string{"replay", "FILE"}, test.args...)...)
			cmd.Dir, cmd.Env = filepath.Dir(file), append(os.Environ(), "GORACE=atexit_sleep_ms=0")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			status := exitStatus(t, cmd.Run())
			said, _, _ := bytes.Cut(stderr.Bytes(), []byte("wspipe: hint: "))
			if status != test.status || stdout.String() != test.stdout || string(said) != test.stderr {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout.String(), stderr.String())
			}
		})
	}
}

// TestReplayAsBackend plays half a second, not faster.
func TestReplayAsBackend(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "demo.cast")
	write(t, file, ours+`[0, "o", "one\n"]`+"\n"+`[0.5, "o", "two\n"]`+"\n"+`[0.5, "m", "exit 7"]`+"\n")
	s := wspipetest.Start(t, wspipetest.Binary(t), "replay", file)
	begun := time.Now()
	c := dial(t, s.WS)
	c.Expect("one", "two")
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("half a second took %v", took)
	}
	c.ExpectEnd(1000, "exit 7")
}
