package static_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"wspipe/cmd/wspipetest"
	"wspipe/static"
)

// shell serves a shell script with the console.
func shell(t *testing.T, script string, flags ...string) *wspipetest.Server {
	t.Helper()
	args := append([]string{"--devconsole"}, flags...)
	return wspipetest.Start(t, append(args, "/bin/sh", "-c", script)...)
}

// TestFilesAreSmall: whoever opens one can read it to its end.
func TestFilesAreSmall(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(static.Console, "console", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(static.Console, name)
		if lines := strings.Count(string(text), "\n"); lines > 250 {
			t.Errorf("%s has %d lines, over 250", name, lines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	server := shell(t, `echo "Who are you?"; read name; echo "Hello, $name!"; exit 3`)
	p := newPage(t, server, "/")
	p.connect()
	p.received("Who are you?")
	p.send("Ada")
	p.received("Hello, Ada!")
	p.wantText("#log .out .text", "Ada")
	p.wantText("#log .out .size", "3 B")
	p.wantStatus("exit status 3", "1000", "normal closure", "exit 3")
	p.wantText("#received", "2 messages, 23 B")
	p.wantText("#sent", "1 message, 3 B")
	p.WantNoErrors()
}

func TestKeyboardAlone(t *testing.T) { // not parallel: it needs the focus of the browser
	p := newPage(t, shell(t, `cat; echo end`), "/")
	p.enter() // the page begins with Connect in focus
	p.Until(`document.body.dataset.state === "open" && document.activeElement.id === "message"`)
	p.Do(chromedp.KeyEvent("one"))
	p.enter(chromedp.ModifierShift)
	p.Do(chromedp.KeyEvent("two"))
	p.Until(`document.activeElement.value === "one\ntwo"`)
	p.enter()
	p.received("one")
	p.received("two")
	p.wantText("#sent", "1 message, 7 B")
	p.enter()
	p.received("") // an empty line is a message too
	for !eval[bool](p, `document.activeElement.id === "connect"`) {
		p.Do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	}
	p.enter()
	p.wantStatus("Disconnected", "1000")
	p.WantNoErrors()
}

func TestHistoryOutlivesReload(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.connect()
	p.send("first")
	p.send("second")
	p.received("second")
	p.Do(chromedp.Reload())
	p.ready()
	p.Do(chromedp.SendKeys(chromedp.ID("message"), "draft"))
	for _, step := range []struct{ key, want string }{
		{kb.ArrowUp, "second"}, {kb.ArrowUp, "first"}, {kb.ArrowUp, "first"},
		{kb.ArrowDown, "second"}, {kb.ArrowDown, "draft"}, {kb.ArrowDown, "draft"},
	} {
		p.Do(chromedp.KeyEvent(step.key))
		p.Until(fmt.Sprintf(`document.querySelector("#message").value === %q`, step.want))
	}
	p.WantNoErrors()
}

func TestMarkupIsText(t *testing.T) {
	t.Parallel()
	lines := []string{
		`<script>document.title = "owned"</script>`,
		`<img src=x onerror="document.title = 'owned'">`,
		`<b>bold</b> &amp; &lt;`,
	}
	server := shell(t, "cat <<'END'\n"+strings.Join(lines, "\n")+"\nEND\nexit 1")
	p := newPage(t, server, `/?<img src=x onerror="document.title='owned'">`)
	p.connect()
	for _, line := range lines {
		p.received(line)
	}
	p.wantStatus("exit status 1")
	if n := eval[int](p, `document.querySelectorAll("body img, body script, #log b").length`); n != 0 {
		t.Errorf("%d elements were made from text", n)
	}
	if title := eval[string](p, "document.title"); title != "/ – wspipe console" {
		t.Errorf("the title is %q", title)
	}
	p.WantNoErrors() // an img with onerror would breach the policy
}

func TestPathAndQueryReachTheChild(t *testing.T) {
	t.Parallel()
	const path = "/foo/b%20r?x=1&y=%22%3C"
	p := newPage(t, shell(t, `echo "$REQUEST_URI"`), path)
	p.connect()
	p.received(path)
	p.wantStatus("exit status 0")
	p.WantNoErrors()
}

func TestScrollingUpStops(t *testing.T) { // not parallel: it needs the focus of the browser
	more := filepath.Join(t.TempDir(), "more")
	p := newPage(t, shell(t, `seq 1 500; until [ -e "`+more+`" ]; do sleep 0.02; done; seq 501 600; cat`), "/")
	p.connect()
	p.received("500")
	p.Until(`log.scrollTop > 2000`)
	p.Do(chromedp.Evaluate[chromedp.Void](`log.scrollTop -= 1000`))
	p.Do(chromedp.WaitVisible(chromedp.ID("jump")))
	at := eval[float64](p, `log.scrollTop`)
	if err := os.WriteFile(more, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.wantText("#jump", "100 new – jump to newest")
	if now := eval[float64](p, `log.scrollTop`); now != at {
		t.Errorf("the log moved from %v to %v while it was being read", at, now)
	}
	p.Do(chromedp.Click(chromedp.ID("jump")), chromedp.WaitNotVisible(chromedp.ID("jump")))
	p.Until(`log.scrollHeight - log.clientHeight - log.scrollTop < 2`)
	p.send("follow")
	p.received("follow")
	p.Until(`log.scrollHeight - log.clientHeight - log.scrollTop < 2`)
	p.WantNoErrors()
}

func TestPauseCopyClear(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.connect()
	p.Do(chromedp.Click(chromedp.ID("pause")))
	p.wantText("#pause", "Resume")
	p.send("quiet")
	p.Until(`kept.innerText.endsWith("3 entries · held, 2 new")`)
	p.wantText("#received", "1 message, 5 B")
	if n := eval[int](p, `document.querySelectorAll("#log .row").length`); n != 1 {
		t.Errorf("%d rows in a paused log, want 1", n)
	}
	p.Do(chromedp.Click(chromedp.ID("pause")))
	p.received("quiet")

	eval[bool](p, `(navigator.clipboard.writeText = async (text) => { window.copied = text }, true)`)
	p.activate("copy")
	p.wantText("#note", "Copied 3 entries.")
	lines := strings.Split(eval[string](p, `window.copied.replace(/\d\d:\d\d:\d\d\.\d{3}/g, "T")`), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "T * connected to ws://") || lines[1] != "T > quiet" || lines[2] != "T < quiet" {
		t.Errorf("copied %q", lines)
	}

	p.activate("clear")
	p.wantText("#kept", "0 entries")
	p.send("again")
	p.received("again")
	p.wantText("#kept", "2 entries")
	p.WantNoErrors()
}

func TestBinary(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `printf 'gr\303\274n'; head -c 1 >/dev/null; printf '\377\000\001'; cat`, "--binary"), "/")
	p.connect()
	p.received("grün")
	p.wantText("#log .binary:not(.hex) .size", "5 B")
	p.send("x")
	p.received(fmt.Sprintf("0000  %-23s  ...", "ff 00 01"))
	p.wantText("#log .hex .size", "3 B")
	p.WantNoErrors()
}

func TestLongAndControl(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `printf '\033[1m\tx\n'; head -c 300000 /dev/zero | tr '\0' y`), "/")
	p.connect()
	p.received("\tx")
	p.wantText("#log .bold", "\tx")
	p.wantStatus("exit status 0")
	p.wantText(".more", "Show more of 296,000 characters")
	p.Do(chromedp.Click(chromedp.CSS(".more")))
	p.wantText(".more", "Show more of 96,000 characters")
	p.Do(chromedp.Click(chromedp.CSS(".more")), chromedp.WaitNotPresent(chromedp.CSS(".more")))
	p.received(strings.Repeat("y", 300000))
	p.WantNoErrors()
}

func TestSubprotocol(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `echo "$WEBSOCKET_PROTOCOL"; cat`, "--subprotocol=chat,quiet"), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "quiet, loud"))
	p.connect()
	p.received("quiet")
	p.wantStatus("Connected")
	p.Until(`document.querySelector("#log .event").innerText.endsWith(", subprotocol quiet")`)
	p.WantNoErrors()
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flag, script string
		want         []string
	}{
		{"--exit-close-code", "read line; exit 3", []string{"exit status 3", "4003", "exit 3"}},
		{"--maxforks=1", "read line; kill -TERM $$", []string{"signal TERM", "1000", "asked to stop"}},
		{"--maxframesize=10", "cat", []string{"Message too big", "1009", "message over 10 bytes"}},
	} {
		p := newPage(t, shell(t, test.script, test.flag), "/")
		p.connect()
		p.send("more than ten bytes")
		p.wantStatus(test.want...)
		p.WantNoErrors()
	}
}

func TestServerShutsDown(t *testing.T) {
	t.Parallel()
	server := shell(t, "cat")
	p := newPage(t, server, "/")
	p.connect()
	server.Signal(syscall.SIGTERM)
	p.wantStatus("Server shutting down", "1001", "going away", "server shutting down")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // nothing listens there now
	p.Do(chromedp.Evaluate[chromedp.Void](`address.value = ""`), chromedp.SendKeys(chromedp.ID("address"), address))
	p.enter()
	p.wantStatus("Nothing answers at "+address, "1006")
	p.wantText("#connect", "Connect")
}

func TestWrongAddress(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	for typed, want := range map[string]string{
		"ftp://example.com/": "not with ftp://",
		"ws://[":             "is no address",
	} {
		p.Do(chromedp.Evaluate[chromedp.Void](`address.value = ""`), chromedp.SendKeys(chromedp.ID("address"), typed))
		p.enter()
		p.wantStatus("cannot be opened", want)
	}
	p.WantNoErrors()
}

func TestEndsInWords(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	for _, test := range []struct {
		code         int
		reason, want string
	}{
		{1000, "exit 0", "good: Program ended: exit status 0"},
		{1000, "exit 3", "bad: Program ended: exit status 3"},
		{1000, "signal TERM", "bad: Program ended by signal TERM"},
		{1000, "bye", "idle: Closed by the server"},
		{1001, "server shutting down", "bad: Server shutting down"},
		{1001, "ended by the operator", "bad: Ended by the operator"},
		{1005, "", "idle: Closed without a code"},
		{1006, "", "bad: Connection lost"},
		{1007, "text is not UTF-8", "bad: Text that is not UTF-8"},
		{1009, "message over 5 bytes", "bad: Message too big"},
		{1011, "cannot start: no such file", "bad: The program could not be started"},
		{1013, "too slow: 5 bytes behind", "bad: This page was too slow"},
		{3000, "", "bad: Closed by the server"},
		{4001, "exit 1", "bad: Program ended: exit status 1"},
		{4001, "max runtime", "bad: Maximum run time reached"},
		{4002, "idle timeout", "bad: Idle for too long"},
		{4010, "attached elsewhere", "idle: Session attached elsewhere"},
		{4011, "history lost", "bad: Part of the output is lost"},
		{4143, "signal TERM", "bad: Program ended by signal TERM"},
	} {
		got := eval[string](p, fmt.Sprintf(`import("/.wspipe/console/end.js").then(({ explain }) => {
			const { tone, title, detail, name } = explain({ code: %d, reason: %q, opened: true, byUser: false });
			return detail && name ? tone + ": " + title : "no detail or name";
		})`, test.code, test.reason))
		if got != test.want {
			t.Errorf("%d %q is explained as %q, want %q", test.code, test.reason, got, test.want)
		}
	}
	p.WantNoErrors()
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "head -c 2000 /dev/zero | tr '\\0' w; echo; exit 3"), "/"+strings.Repeat("long", 50))
	p.Do(chromedp.EmulateViewport(360, 740))
	p.connect()
	p.wantStatus("exit status 3")
	if width := eval[int](p, `document.documentElement.scrollWidth`); width > 360 {
		t.Errorf("the page is %d pixels wide on a screen of 360", width)
	}
	if width := eval[int](p, `log.scrollWidth - log.clientWidth`); width > 0 {
		t.Errorf("the log is %d pixels wider than its frame", width)
	}
	p.WantNoErrors()
}
