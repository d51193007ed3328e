//go:build unix

package static_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

func TestTerminalSearch(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `seq 300 | sed 's/$/ line/'; cat`, "--pty"))
	p.shows("300 line")
	p.Do(chromedp.SendKeys(chromedp.ID("terminal-search"), "30"))
	const number = `document.querySelector("#terminal-search-count").value`
	p.Until(number + ` === "1 of 4"`) // 30, 130, 230, 300
	p.shows("30 line")                // which had scrolled away
	p.press("Enter")
	p.Until(number + ` === "2 of 4"`)
	p.shows("130 line")
	p.press("Enter", chromedp.ModifierShift)
	p.Until(number + ` === "1 of 4"`)
	p.press("Enter", chromedp.ModifierShift)
	p.Until(number + ` === "4 of 4"`)
	p.Do(chromedp.Click(chromedp.ID("terminal-search-previous")))
	p.Until(number + ` === "3 of 4"`)
	p.Do(chromedp.Click(chromedp.ID("terminal-search-next")))
	p.Until(number + ` === "4 of 4"`)
	p.Until(`document.querySelectorAll(".xterm-decoration").length || [...document.querySelectorAll(".xterm-rows span")].some((span) => span.textContent === "30" && span.style.backgroundColor)`)
	p.Do(chromedp.SendKeys(chromedp.ID("terminal-search"), "x"))
	p.Until(number + ` === "none"`)
	p.press("Escape")
	p.Until(number + ` === "" && document.activeElement.matches(".xterm-helper-textarea")`)
	p.WantNoErrors()
}

func TestTerminalCopyAndPaste(t *testing.T) {
	t.Parallel()
	p := onPrompt(t)
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		allow := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: name}, Setting: "granted", BrowserContextID: chromedp.FromContext(p.Ctx).BrowserContextID}
		if _, err := chromedp.CallBrowser(p.Ctx, browser.SetPermission, allow); err != nil {
			t.Fatal(err)
		}
	}
	copied := func(want string) {
		t.Helper()
		p.wantText("#note", "Copied.")
		if got := eval[string](p.page, `navigator.clipboard.readText()`); got != want {
			t.Errorf("copied %q, want %q", got, want)
		}
		p.run(`document.querySelector("#note").textContent = ""`)
	}
	p.press("C", chromedp.ModifierCtrl, chromedp.ModifierShift)
	p.wantText("#note", "Nothing is selected; the Copy button takes all.")
	p.line(`clear; printf '%s\n' first second`)
	p.shows("second")
	p.click("first", 2)
	p.press("C", chromedp.ModifierCtrl, chromedp.ModifierShift)
	copied("first")
	p.click("second", 2)
	p.press("Insert", chromedp.ModifierCtrl)
	copied("second")
	p.Do(chromedp.Click(chromedp.ID("terminal-copy")))
	copied("second")
	p.click("first", 1) // selects nothing
	p.Do(chromedp.Click(chromedp.ID("terminal-copy")))
	copied("first\nsecond\n>\n")

	p.run(`await navigator.clipboard.writeText("echo pasted\necho twice")`)
	p.Do(chromedp.Click(chromedp.ID("terminal-paste")))
	p.shows("> echo pasted")
	p.shows("echo twice") // bracketed, so bash runs neither
	p.press("Enter")
	p.shows("twice")
	p.run(`await navigator.clipboard.writeText("# by key")`)
	for _, key := range []input.DispatchKeyEventParams{
		{Key: "V", Code: "KeyV", WindowsVirtualKeyCode: 'V', Modifiers: int64(chromedp.ModifierCtrl | chromedp.ModifierShift)},
		{Key: "Insert", Code: "Insert", WindowsVirtualKeyCode: keys["Insert"], Modifiers: int64(chromedp.ModifierShift)},
	} {
		key.Commands = []string{"paste"} // as browsers with a window have it on these keys
		p.line("clear")
		p.Until(`rows()[0] === ">"`)
		p.dispatch(key)
		p.Until(`rows()[0] === "> # by key"`)
		p.press("Enter")
	}
	p.run(`navigator.clipboard.readText = async () => { throw new Error("denied"); }`)
	p.Do(chromedp.Click(chromedp.ID("terminal-paste")))
	p.wantText("#note", "The browser does not let this page read the clipboard: paste with Ctrl+Shift+V.")
	p.WantNoErrors()
}

// TestTerminalKeys: Tab is the program's, so another key leaves the terminal.
func TestTerminalKeys(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `stty raw -echo; printf 'go\r\n'; cat -v`, "--pty"))
	p.shows("go")
	p.press("Tab")
	p.press("F6")
	p.press("C", chromedp.ModifierCtrl)
	p.press("ArrowUp")
	p.Until(`rows().some((row) => row.trim() === "^[[17~^C^[[A")`)
	p.press("F6", chromedp.ModifierShift)
	p.Until(`document.activeElement.id === "terminal-tab"`)
	p.press("ArrowLeft")
	p.Until(`!document.querySelector("#messages").hidden`)
	p.press("ArrowRight")
	p.Until(`!document.querySelector("#terminal-panel").hidden`)
	p.WantNoErrors()
}

func TestTerminalClear(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `seq 500; cat`, "--pty"))
	p.shows("500")
	p.Do(chromedp.Click(chromedp.ID("terminal-clear")))
	p.Until(`rows().every((row) => row === "")`)
	p.line("echo")
	p.Until(`rows()[0] === "echo"`)
	p.WantNoErrors()
}

// TestTerminalFlood: an endless flood leaves the page usable, and Ctrl-C ends it
// soon. The server is asked to pause where too much waits.
func TestTerminalFlood(t *testing.T) {
	t.Parallel()
	p := terminal{newPage(t, bash(t), "/")}
	p.choose()
	p.run(`window.asked = []; const { send } = WebSocket.prototype;
		WebSocket.prototype.send = function (data) {
			if (new Uint8Array(data)[0] === 5) asked.push(JSON.parse(new TextDecoder().decode(data.slice(1))).type);
			send.call(this, data);
		}`)
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"), chromedp.Click(chromedp.ID("connect")))
	p.shows("> ")
	p.line("yes '" + strings.Repeat("flood ", 10) + "'")
	p.Until(`parseFloat(document.querySelector("#received").innerText.split(",")[1]) > 20 && document.querySelector("#received").innerText.includes("MiB")`)
	if took := eval[float64](p.page, `new Promise((done) => { const from = performance.now(); setTimeout(() => done(performance.now() - from)); })`); took > 2000 {
		t.Errorf("the page was busy for %v ms", took)
	}
	p.Do(chromedp.Click(chromedp.ID("font-larger")))
	p.wantText("#font-size", "15 px")
	p.Do(chromedp.Focus(chromedp.CSS(".xterm-helper-textarea")))
	from := time.Now()
	p.press("C", chromedp.ModifierCtrl)
	p.Until(`rows().filter(Boolean).at(-1) === ">"`)
	t.Logf("Ctrl-C took %v; the page asked %v", time.Since(from), eval[[]string](p.page, `asked`))
	p.Until(`asked.filter((type) => type !== "resize").every((type, i) => type === (i % 2 ? "continue" : "pause")) && asked.at(-1) !== "pause"`)
	p.line("echo alive")
	p.shows("alive")
	p.WantNoErrors()
}

// TestTerminalBound: without flow control what waits is bounded, and the page
// says what it left out. The module is told of more than any screen can draw.
func TestTerminalBound(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	got := eval[string](p, `(async () => {
		const { Flow } = await import("/.wspipe/console/terminal/flow.js");
		const asked = [], done = [];
		let shown = 0, text = "", most = 0, idle = 0;
		const terminal = { write(bytes, callback) { shown += bytes.length; text = new TextDecoder().decode(bytes); done.push(callback); } };
		const connection = { hold: () => asked.push("pause"), release: () => asked.push("continue") };
		const flow = new Flow(terminal, connection, () => idle++);
		for (let i = 0; i < 20480; i++) {
			flow.write(new Uint8Array(1000).fill(120));
			most = Math.max(most, flow.waiting);
		}
		const before = asked.join();
		while (done.length) done.shift()();
		return [most <= (8 << 20) + (512 << 10), shown < 9 << 20, before, asked.join(), text.trim(), flow.waiting, idle].join("; ");
	})()`)
	const want = "true; true; pause; pause,continue; \x1b[0m\r\n\x1b[7m[11 MiB not shown]\x1b[0m; 0; 1"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.WantNoErrors()
}

// TestTerminalComesLate: whoever opens the view later finds what has been written,
// and a program's terminal is known without channels, too.
func TestTerminalComesLate(t *testing.T) {
	t.Parallel()
	p := terminal{newPage(t, bash(t), "/")}
	p.Do(chromedp.Click(chromedp.ID("messages-tab")), chromedp.Click(chromedp.ID("connect")))
	p.Until(`/^[1-9]/.test(document.querySelector("#received").innerText)`)
	p.choose()
	p.shows("> ")
	p.Do(chromedp.Click(chromedp.CSS(".xterm-screen")))
	p.line(`echo "$((6*7)) comes late"`)
	p.shows("42 comes late")
	p.press("ArrowUp")
	p.press("Enter")
	p.Until(`rows().filter((row) => row === "42 comes late").length === 2`)
	p.WantNoErrors()
}

// TestTerminalLongPaste: it comes in pieces that no limit is against.
func TestTerminalLongPaste(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `stty raw -echo; printf 'go\r\n'; head -c 300000 | tr -d '\n' | wc -c; cat`, "--pty", "--maxframesize=64KiB"))
	p.shows("go")
	p.run(`const data = new DataTransfer();
		data.setData("text/plain", "x".repeat(300000));
		document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }))`)
	p.shows("300000")
	p.WantNoErrors()
}
