package wspipetest_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// TestCurl uses plain requests as people do.
func TestCurl(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "curl")
	s := wspipetest.Start(t, "--http", "bash", "-c", `case $QUERY_STRING in
		filter) sort;;
		fail) exit 3;;
		cut) echo a; echo ready >&2; exec sleep 1000;;
		*) seq 3;;
	esac`)
	url := strings.Replace(s.WS, "ws", "http", 1)
	for _, test := range []struct{ command, want string }{
		{"curl -sN $url", "1\n2\n3\n"},
		{"curl -s --data-binary @- $url?filter", "a\nb\n"},
		{"curl -s -T - $url?filter", "a\nb\n"},
		{"curl -s -T - -H Expect:100-continue $url?filter", "a\nb\n"},
		{"curl -s --http1.0 -d x $url", "1\n2\n3\n"},
		{"curl -s -o /dev/null -w '%{http_code} %header{wspipe-exit}' $url?fail", "500 exit 3"},
		{"curl -sN -H Accept:text/event-stream $url | python3 -c \"$parse\"", "1:1 2:2 3:3 close"},
	} {
		cmd := exec.Command("bash", "-c", test.command)
		cmd.Env = append(os.Environ(), "url="+url, "parse="+parseEvents)
		cmd.Stdin = strings.NewReader("b\na\n")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != test.want {
			t.Errorf("%s: %q, %v", test.command, out, err)
		}
	}
	cut := exec.Command("curl", "-sN", url+"?cut")
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	s.AwaitStderr("ready")
	s.Signal(syscall.SIGTERM)
	s.Wait()
	if err := cut.Wait(); cut.ProcessState.ExitCode() != 18 {
		t.Errorf("a response that is cut off: %v", err)
	}
}

// parseEvents prints the events on stdin as the standard reads them.
const parseEvents = `
import sys
id, data, event = "", [], ""
out = []
for line in sys.stdin.read().split("\n"):
    if line == "":
        if data: out.append(event or id + ":" + "\n".join(data))
        data, event = [], ""
        continue
    field, _, value = line.partition(":")
    value = value.removeprefix(" ")
    if field == "id": id = value
    if field == "data": data.append(value)
    if field == "event": event = value
print(" ".join(out), end="")`

// TestUploadInConstantMemory: a body that goes through cat and back is the same, and is
// nowhere as a whole.
func TestUploadInConstantMemory(t *testing.T) {
	t.Parallel()
	const size = 100 << 20
	s := wspipetest.StartCommand(t, exec.Command(wspipetest.PlainBinary(t), "--port=0", "--http", "--binary", "cat"))
	before := peakMemory(t, s.Pid())
	sent, received := sha256.New(), sha256.New()
	cmd := exec.Command(wspipetest.Need(t, "curl"), "-sS", "-T", "-", strings.Replace(s.WS, "ws", "http", 1))
	cmd.Stdin = io.TeeReader(io.LimitReader(pattern{}, size), sent)
	cmd.Stdout = received
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if string(sent.Sum(nil)) != string(received.Sum(nil)) {
		t.Error("what came back differs")
	}
	if after := peakMemory(t, s.Pid()); after-before > 20<<10 {
		t.Errorf("the server took %d KiB more", after-before)
	}
}

// pattern is an endless stream of bytes.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 7)
	}
	return len(p), nil
}

// peakMemory returns the most memory that a process has had, in KiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status := read(t, fmt.Sprintf("/proc/%d/status", pid))
	n, err := strconv.Atoi(regexp.MustCompile(`VmHWM:\s+(\d+)`).FindStringSubmatch(status)[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventPage is a page without a library that goes on after a reload.
const eventPage = `<!doctype html><link rel="icon" href="data:,"><script>
	const numbers = JSON.parse(sessionStorage.numbers ?? "[]");
	const id = sessionStorage.id ??= crypto.randomUUID();
	const after = sessionStorage.last ? "&wspipe_after=" + sessionStorage.last : "";
	const source = new EventSource("/?wspipe_session=" + id + after);
	let end = "";
	source.onmessage = (e) => {
		numbers.push(+e.data);
		sessionStorage.numbers = JSON.stringify(numbers);
		sessionStorage.last = e.lastEventId;
	};
	source.addEventListener("close", (e) => { end += e.data; });
</script>`

// TestEventSourceOverABadNetwork: each number exactly once over three cuts and a reload,
// and the command is not run again.
func TestEventSourceOverABadNetwork(t *testing.T) {
	t.Parallel()
	const n = 1000
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "events.html"), []byte(eventPage), 0o600); err != nil {
		t.Fatal(err)
	}
	s := wspipetest.Start(t, "--http", "--resume=1m", "--staticdir="+dir, "bash", "-c", `for ((i = 1; i <= 1000; i++)); do
		echo $i; read -t 0.001 <> <(:)
		((i % 200)) || read -r go
	done`)
	network := wspipetest.NewCutter(t, s)
	p := wspipetest.NewPage(t)
	p.Do(chromedp.Navigate("http://" + network.Addr().String() + "/events.html"))
	for had := 0; had < n; had += n / 5 {
		p.Until(fmt.Sprintf("numbers.length > %d", had+n/10))
		switch had {
		case 0, 400, 600:
			network.Cut()
		case 200:
			p.Do(chromedp.Reload())
		}
		p.Until(fmt.Sprintf("numbers.length >= %d", had+n/5))
		if status := wspipetest.Eval[int](p, `fetch("/?wspipe_session=" + id, {method: "POST", body: "go"}).then((r) => r.status)`); status != 202 {
			t.Fatalf("POST: %d", status)
		}
	}
	p.Until("source.readyState === EventSource.CLOSED")
	if end := wspipetest.Eval[string](p, "end"); end != `{"code":1000,"reason":"exit 0"}` {
		t.Errorf("the end: %s", end)
	}
	if got := wspipetest.Eval[int](p, "numbers.length"); got != n {
		t.Errorf("%d numbers, want %d", got, n)
	}
	if wrong := wspipetest.Eval[int](p, "numbers.findIndex((number, i) => number !== i + 1)"); wrong >= 0 {
		t.Errorf("number %d is wrong", wrong+1)
	}
	if runs := strings.Count(s.Stderr(), "msg=connect"); runs != 1 {
		t.Errorf("the command was run %d times", runs)
	}
	t.Logf("%d numbers over %d connections", n, 1+strings.Count(s.Stderr(), "msg=resume"))
}
