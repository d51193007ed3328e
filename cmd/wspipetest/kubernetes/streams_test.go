//go:build unix

package kubernetes_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/conversion/queryparams"
	"k8s.io/client-go/tools/remotecommand"

	"wspipe/cmd/wspipetest"
)

const large = 50_000_000 // bytes

// noise returns size bytes that are as good as random.
func noise(size int64, seed byte) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size)
}

func sum(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestStdinEnds: the command reads all that there is, and then its end.
func TestStdinEnds(t *testing.T) {
	t.Parallel()
	wc, sha := startShell(t, "wc -c"), startShell(t, "sha256sum")
	for _, size := range []int64{0, 1, 32 << 10, 64<<10 + 1, large} {
		stdout, stderr, err := newClient(t, wc).run(t, noise(size, 1))
		wantStatus(t, err, 0)
		if got := strings.TrimSpace(stdout); got != strconv.FormatInt(size, 10) || stderr != "" {
			t.Errorf("wc -c of %d bytes: %q, %q", size, got, stderr)
		}
		stdout, _, err = newClient(t, sha).run(t, noise(size, 2))
		wantStatus(t, err, 0)
		if got, want := stdout, sum(t, noise(size, 2))+"  -\n"; got != want {
			t.Errorf("sha256sum of %d bytes: got %q, want %q", size, got, want)
		}
	}
}

// TestNoStdin: a command whose client says that it has no stdin reads its end at
// once. That is how client-go says it for kubectl exec.
func TestNoStdin(t *testing.T) {
	t.Parallel()
	c := newClient(t, startShell(t, "cat; echo done"))
	query, err := queryparams.Convert(&core.PodExecOptions{Command: []string{"cat"}, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	c.url += "?" + query.Encode()
	stdout, _, err := c.run(t, nil)
	wantStatus(t, err, 0)
	if stdout != "done\n" {
		t.Errorf("stdout %q", stdout)
	}
}

// TestAllComesBack: both directions are full at once.
func TestAllComesBack(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := newClient(t, startShell(t, "cat; echo done >&2")).run(t, noise(large, 3))
	wantStatus(t, err, 0)
	if len(stdout) != large || sum(t, strings.NewReader(stdout)) != sum(t, noise(large, 3)) {
		t.Errorf("%d bytes came back, and not those that were sent", len(stdout))
	}
	if stderr != "done\n" {
		t.Errorf("stderr %q", stderr)
	}
}

// TestStreamsAreApart: a command floods stdout and stderr in turns.
func TestStreamsAreApart(t *testing.T) {
	t.Parallel()
	python := wspipetest.Need(t, "python3")
	const lines = 20_000
	s := wspipetest.Start(t, "--loglevel=error", python, "-c", fmt.Sprintf(`
import os
for i in range(%d):
    os.write(1, b"out %%d " %% i + b"o" * (i %% 200) + b"\n")
    os.write(2, b"err %%d " %% i + b"e" * (i %% 300) + b"\n")
os.write(1, b"no newline")
os.write(2, b"\xff\xfe\r\n\x00")`, lines))
	stdout, stderr, err := newClient(t, s).run(t, nil)
	wantStatus(t, err, 0)
	var out, complaint strings.Builder
	for i := range lines {
		fmt.Fprintf(&out, "out %d %s\n", i, strings.Repeat("o", i%200))
		fmt.Fprintf(&complaint, "err %d %s\n", i, strings.Repeat("e", i%300))
	}
	if want := out.String() + "no newline"; stdout != want {
		t.Errorf("stdout has %d bytes, and not the right %d", len(stdout), len(want))
	}
	if want := complaint.String() + "\xff\xfe\r\n\x00"; stderr != want {
		t.Errorf("stderr has %d bytes, and not the right %d", len(stderr), len(want))
	}
}

// TestTheFramingDoesNotMatter: streams are raw bytes for whoever has them apart.
func TestTheFramingDoesNotMatter(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"lines", "bytes", "nul", "length", "lsp", "json"} {
		const text = "a\n\x00b\xffc" // no record of any framing
		stdout, _, err := newClient(t, startShell(t, "cat", "--framing="+framing)).run(t, strings.NewReader(text))
		wantStatus(t, err, 0)
		if stdout != text {
			t.Errorf("--framing=%s: got %q, want %q", framing, stdout, text)
		}
	}
}

// TestVersion4 is the protocol before one could end stdin.
func TestVersion4(t *testing.T) {
	t.Parallel()
	c := newClient(t, startShell(t, `read line; echo "$WEBSOCKET_PROTOCOL $line"; echo complaint >&2; exit 3`))
	c.protocol = "v4.channel.k8s.io"
	stdout, stderr, err := c.run(t, strings.NewReader("hello\n"))
	wantStatus(t, err, 3)
	if stdout != "v4.channel.k8s.io hello\n" || stderr != "complaint\n" {
		t.Errorf("got %q and %q", stdout, stderr)
	}
}

// busy is somebody who takes nothing until it is told to go on.
type busy struct {
	goOn chan struct{}
	got  bytes.Buffer
}

// Write implements io.Writer.
func (b *busy) Write(p []byte) (int, error) {
	<-b.goOn
	return b.got.Write(p)
}

// flood writes what is on stdin to stdout, and to the file of its argument how
// much that was when it could write no more for a second.
const flood = `
import os, select, sys
data, sent, told = sys.stdin.buffer.read(), 0, False
os.set_blocking(1, False)
while sent < len(data):
    if select.select([], [1], [], None if told else 1)[1]:
        sent += os.write(1, data[sent:sent + 65536])
        continue
    with open(sys.argv[1] + "~", "w") as f:
        f.write(str(sent))
    os.rename(sys.argv[1] + "~", sys.argv[1])
    told = True`

// TestASlowClient: the command waits for a client that does not read, and then
// all comes.
func TestASlowClient(t *testing.T) {
	t.Parallel()
	python := wspipetest.Need(t, "python3")
	stuck := filepath.Join(t.TempDir(), "stuck")
	c := newClient(t, wspipetest.Start(t, python, "-c", flood, stuck))
	b := &busy{goOn: make(chan struct{})}
	ended := make(chan error, 1)
	e := c.executor(t)
	go func() { // ends with the command, or with c.ctx
		ended <- e.StreamWithContext(c.ctx, remotecommand.StreamOptions{Stdin: noise(large, 4), Stdout: b})
	}()
	sent := awaitFile(t, stuck)
	if n, err := strconv.Atoi(sent); err != nil || n >= large/2 {
		t.Errorf("the command has sent %s bytes to a client that does not read", sent)
	}
	close(b.goOn)
	wantStatus(t, <-ended, 0)
	if b.got.Len() != large || sum(t, &b.got) != sum(t, noise(large, 4)) {
		t.Error("not all has come that was sent")
	}
}

// awaitFile waits until there is a file, and returns what is in it.
func awaitFile(t *testing.T, path string) string {
	t.Helper()
	for late := time.Now().Add(wspipetest.Patience); ; {
		text, err := os.ReadFile(path)
		if err == nil {
			return string(text)
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
}
