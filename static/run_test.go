//go:build unix

package static_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// runs is how many runs the log of a page has begun.
const runs = `[...document.querySelectorAll("#log .event .text")].filter((e) => e.textContent.startsWith("connected to")).length`

// TestDoubleClick starts one program, and does not end it.
func TestDoubleClick(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `echo hi; cat`), "/")
	at := eval[[2]float64](p, `(({ x, y, width, height }) => [x + width / 2, y + height / 2])(document.querySelector("#connect").getBoundingClientRect())`)
	click := func(count int64) {
		for _, event := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			mouse := input.DispatchMouseEventParams{Type: event, X: at[0], Y: at[1], Button: input.MouseButtonLeft, ClickCount: count}
			if _, err := chromedp.Call(p.Ctx, input.DispatchMouseEvent, mouse); err != nil {
				t.Fatal(err)
			}
		}
	}
	click(1)
	p.received("hi") // however slow the user is, and fast the server
	click(2)
	p.send("still here")
	p.received("still here")
	if n := eval[int](p, runs); n != 1 {
		t.Errorf("%d connections", n)
	}
	p.WantNoErrors()
}

// TestStoppedServer: while the server does not answer, the page says that it waits, and
// the user need not.
func TestStoppedServer(t *testing.T) {
	t.Parallel()
	server := shell(t, `echo hi; cat`)
	p := newPage(t, server, "/")
	p.connect()
	p.received("hi")
	server.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { server.Signal(syscall.SIGCONT) })
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.wantText("#state", "Closing…")
	p.wantText("#connect", "Stop waiting")
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.wantStatus("Not answered")
	p.wantText("#connect", "Connect")
	server.Signal(syscall.SIGCONT)
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.wantStatus("Connected")
}

// TestReadOnly: the page says that input is discarded, and logs none as sent.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `echo hi; sleep 1000`, "--share=broadcast", "--readonly", "--replay=5"), "/")
	p.Until(`document.querySelector("#message").placeholder.includes("Read-only")`)
	p.connect()
	p.received("hi")
	p.Do(chromedp.SendKeys(chromedp.ID("message"), "lost"))
	p.enter()
	p.wantText("#note", "Not sent: this endpoint is read-only (--readonly), so the server discards input.")
	if n := eval[int](p, `document.querySelectorAll("#log .out").length`); n != 0 {
		t.Errorf("%d messages are logged as sent", n)
	}
	p.WantNoErrors()
}

// TestWhatAMessageIs: the page says how messages and the program's input belong together.
func TestWhatAMessageIs(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{
		"--framing=lines":              "Each message that you send is a line that it reads.",
		"--share=mux":                  "a JSON event for each message",
		"--share=broadcast,--readonly": "read-only: the server discards input",
		"--pty":                        "Enter after it",
		"--framing=nul":                "--framing=nul",
	} {
		p := newPage(t, shell(t, "cat", strings.Split(flags, ",")...), "/")
		p.Do(chromedp.Click(chromedp.ID("connect")))
		p.Until(`document.body.dataset.state === "open"`)
		p.Until(fmt.Sprintf(`document.querySelector("#empty-text").textContent.includes(%q)`, want))
		if text := eval[string](p, `document.querySelector("#empty-text").textContent`); flags != "--framing=lines" && strings.Contains(text, "is a line that it reads") {
			t.Errorf("%s: %s", flags, text)
		}
		p.WantNoErrors()
	}
}

// TestEnterInATerminalsMessages: Enter is typed, too.
func TestEnterInATerminalsMessages(t *testing.T) {
	t.Parallel()
	for _, subprotocol := range []string{"", "none", "v1.wspipe"} {
		p := newPage(t, shell(t, `stty -echo; read -r a; echo "got $a"; read -r b; echo "got $b"; cat`, "--pty"), "/")
		p.Do(chromedp.Click(chromedp.ID("messages-tab")))
		if subprotocol != "" {
			p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), subprotocol))
		}
		p.connect()
		for _, text := range []string{"one", "two"} {
			p.send(text)
			p.Until(fmt.Sprintf(`document.querySelector("#log").innerText.includes("got %s")`, text))
		}
		p.WantNoErrors()
	}
}

// TestToken: a server that wants a token is given it in a field that does not show it: that
// beside the address, or that of the card.
func TestToken(t *testing.T) {
	t.Parallel()
	server := shell(t, `echo hi; cat`, "--token-file="+tokenFile(t))
	p := newPage(t, server, "/?x=1&access_token=T-._~%2B/sesame==")
	p.Until(`document.querySelector("#token").value === "T-._~+/sesame==" && document.querySelector("#token").type === "password"`)
	if address := eval[string](p, `address.value`); address != server.WS+"?x=1" {
		t.Errorf("the address is %s", address)
	}
	p.fill("token", "wrong")
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.wantStatus("Refused: 401")
	p.Until(`document.activeElement.matches("#log .card input[type=password][aria-label=Token]")`)
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("card with a token")
	p.Do(chromedp.KeyEvent(token))
	p.enter()
	p.received("hi")
	if open := eval[int](p, `document.querySelectorAll("#log .token").length`); open != 0 {
		t.Errorf("%d forms are still there", open)
	}
	if text := eval[string](p, `document.body.innerText`); strings.Contains(text, "sesame") {
		t.Errorf("the page shows the token: %s", text)
	}
}

// TestReloadTellsWhatIsReplayed: so that nobody takes it for new.
func TestReloadTellsWhatIsReplayed(t *testing.T) {
	t.Parallel()
	for _, subprotocol := range []string{"", "none"} {
		p := newPage(t, shell(t, `seq 9; cat`, "--resume=1m"), "/")
		if subprotocol != "" {
			p.plain()
		}
		p.connect()
		p.received("9")
		p.Do(chromedp.Reload())
		p.Until(`[...document.querySelectorAll("#log .event")].some((e) => e.innerText.endsWith("resumed, 9 replayed"))`)
		p.send("new")
		p.received("new")
		rows := p.rows()
		if at := rows[len(rows)-3]; at != "resumed, 9 replayed" {
			t.Errorf("before what is new there is %q", at)
		}
		p.WantNoErrors()
	}
}

// TestEndNoteIsBelow: a terminal's last words stay to be read.
func TestEndNoteIsBelow(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `clear; echo one; printf '\0337'; echo two; echo three; exit 4`, "--pty"))
	p.Until(`rows().slice(0, 4).join() === "one,two,three,[Program ended: exit status 4]"`)
	before := eval[string](p.page, `document.querySelector("#sharing").textContent`)
	p.press("Enter") // runs it again
	p.Until(fmt.Sprintf(`document.querySelector("#sharing").textContent !== %q`, before))
	p.Until(`rows().slice(0, 4).join() === "one,two,three,[Program ended: exit status 4]"`)
	p.WantNoErrors()
}

// TestRunAgain: from the card and by Ctrl+Enter; a divider is between the runs, and the
// last words on stderr are in the card.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `echo hi; echo "cannot open it" >&2; exit 3`), "/")
	p.connect()
	p.wantStatus("exit status 3", "stderr: cannot open it")
	p.Until(`document.querySelector("#log .stderr .text").textContent === "cannot open it"`)
	p.Do(chromedp.Click(chromedp.CSS(".again")))
	p.Until(`document.querySelectorAll("#log .card").length === 2 && document.querySelectorAll(".again").length === 1`)
	p.wantText("#log .divider .text", "run 2")
	p.Do(chromedp.Focus(chromedp.ID("message")))
	p.enter(chromedp.ModifierCtrl)
	p.Until(`document.querySelectorAll("#log .card").length === 3 && ` + runs + ` === 3`)
	p.WantNoErrors()
}

// TestLeavingAShell: the user is asked before a shell in use is ended, and not where it
// goes on.
func TestLeavingAShell(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]bool{"--pty": true, "--resume=1m": false, "--maxforks=5": false} {
		flags := []string{flag}
		if flag == "--resume=1m" {
			flags = append(flags, "--pty")
		}
		p := newPage(t, shell(t, `cat`, flags...), "/")
		p.Do(chromedp.Click(chromedp.ID("connect")))
		p.Until(`document.body.dataset.state === "open"`)
		if got := eval[bool](p, `!dispatchEvent(new Event("beforeunload", { cancelable: true }))`); got != want {
			t.Errorf("%v: asks %t, want %t", flags, got, want)
		}
	}
}

// TestNativeCopy: a row that the browser copies is a line.
func TestNativeCopy(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `echo one; echo two; cat`), "/")
	p.connect()
	p.received("two")
	got := eval[string](p, `(() => {
		const [first, second] = [...document.querySelectorAll("#log .in")];
		getSelection().setBaseAndExtent(first.lastElementChild.firstChild, 1, second.lastElementChild.firstChild, 2);
		const data = new DataTransfer();
		log.dispatchEvent(new ClipboardEvent("copy", { clipboardData: data, bubbles: true, cancelable: true }));
		return data.getData("text/plain").replace(/[\d:.]{12}/g, "T");
	})()`)
	if got != "ne\nT\t3 B\ttw" {
		t.Errorf("copied %q", got)
	}
	p.WantNoErrors()
}

// TestJoiners: emoji and scripts that join letters are shown as they were written.
func TestJoiners(t *testing.T) {
	t.Parallel()
	lines := map[string]string{
		"👩\u200d👩\u200d👧 👩🏽\u200d💻 🏳\ufe0f\u200d🌈 می\u200cخواهم क्\u200dष": "👩\u200d👩\u200d👧 👩🏽\u200d💻 🏳\ufe0f\u200d🌈 می\u200cخواهم क्\u200dष",
		"a\u200db \u200c": "a‹ZWJ›b ‹ZWNJ›",
	}
	var all strings.Builder
	for line := range lines {
		all.WriteString(line + "\n")
	}
	p := newPage(t, says(t, all.String()), "/")
	p.connect()
	for _, want := range lines {
		p.received(want)
	}
	if dir := eval[string](p, `message.dir`); dir != "auto" {
		t.Errorf("the message box has dir=%s", dir)
	}
	p.WantNoErrors()
}

// TestRoundTrip: the pill says how fast the server answers.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `cat`), "/")
	p.Do(chromedp.EmulateViewport(1440, 900))
	p.connect()
	p.Until(`/^rtt \d+(\.\d)? ms$/.test(document.querySelector("#pill").innerText.split("\n").at(-1).match(/rtt.*/)[0]) && document.querySelector("#pill").scrollWidth <= document.querySelector("#pill").clientWidth`)
}
