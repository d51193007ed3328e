//go:build unix

package static_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAnotherClient: clients of a shared program side by side, each with its own log; the
// composer is the chosen one's, and closing one leaves the other.
func TestAnotherClient(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `cat`, "--share=broadcast"), "/")
	p.Do(chromedp.EmulateViewport(1440, 900))
	p.connect()
	p.activate("another")
	p.Until(`document.querySelector("#message").placeholder === "Message to client 2" && document.body.dataset.state === "open"`)
	p.send("from two")
	p.received("from two")
	p.Until(`document.querySelector("#log--2 .in .text").textContent === "from two" && document.querySelectorAll("#log--2 .out").length === 1 && !document.querySelector("#log .out")`)
	p.Do(chromedp.Click(chromedp.ID("pane-name")))
	p.Until(`document.querySelector("#message").placeholder === "Message to client 1"`)
	p.send("from one")
	p.Until(`document.querySelectorAll("#log--2 .in").length === 2 && document.querySelectorAll("#log .out").length === 1`)
	p.Do(chromedp.Click(chromedp.ID("another-client")))
	p.Until(`document.querySelectorAll("#client-list li").length === 3 && document.querySelector("#log--3 .event")`)
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("three clients")
	if n := eval[int](p, `document.querySelectorAll("iframe").length + [...document.querySelectorAll("[id]")].length - new Set([...document.querySelectorAll("[id]")].map((e) => e.id)).size`); n != 0 {
		t.Errorf("%d iframes or doubled IDs", n)
	}
	p.Do(chromedp.Click(chromedp.ID("pane-close--3")), chromedp.Click(chromedp.ID("pane-close--2")))
	p.Until(`document.querySelectorAll(".pane").length === 1 && document.querySelector("#rail").hidden && document.querySelector("#pane-head").hidden`)
	p.send("alone")
	p.received("alone")
	p.WantNoErrors()
}

// TestTerminalsSideBySide: the tools and the keys are the chosen one's.
func TestTerminalsSideBySide(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `echo "I am $$"; stty -echo; while read -r line; do echo "got $line"; done`, "--pty"))
	p.shows("I am")
	p.activate("another")
	p.Do(chromedp.Click(chromedp.ID("terminal-tab")))
	p.Until(`document.querySelector("#terminal--2 .xterm-rows").innerText.includes("I am")`)
	p.Do(chromedp.Click(chromedp.CSS("#terminal--2 .xterm-screen")))
	p.line("two")
	p.Until(`document.querySelector("#terminal--2 .xterm-rows").innerText.replaceAll("\u00a0", " ").includes("got two") && !document.querySelector("#terminal .xterm-rows").innerText.includes("two")`)
	p.WantNoErrors()
}

// TestTerminalPhoneKeys: what a phone's keyboard lacks is below the terminal, large enough
// for fingers; Ctrl and Alt hold for the next key.
func TestTerminalPhoneKeys(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `stty raw -echo; printf 'go\r\n'; cat -v`, "--pty"))
	p.Do(chromedp.EmulateViewport(360, 740))
	p.shows("go")
	p.Until(`document.querySelector("#keys").offsetParent`)
	if small := eval[[]string](p.page, `[...document.querySelectorAll("#keys button")].filter((b) => b.offsetHeight < 44 || b.getBoundingClientRect().right > 361).map((b) => b.textContent)`); len(small) > 0 {
		t.Errorf("too small: %v", small)
	}
	tap := func(key string) {
		t.Helper()
		p.Do(chromedp.Click(chromedp.CSS(fmt.Sprintf("#keys button:nth-child(%d)", eval[int](p.page, fmt.Sprintf(`[...document.querySelectorAll("#keys button")].findIndex((b) => b.textContent === %q) + 1`, key))))))
	}
	p.Do(chromedp.Click(chromedp.CSS(".xterm-screen")))
	tap("Esc")
	tap("↑")
	tap("Ctrl")
	p.types("c")
	tap("Alt")
	p.types("x")
	p.types("y")
	p.Until(`rows().some((row) => row.trim() === "^[^[[A^C^[xy")`)
	top := eval[float64](p.page, `document.querySelector("#terminal").getBoundingClientRect().top`)
	if height := eval[float64](p.page, `document.querySelector("#terminal").clientHeight`); top > 60 || height < 550 {
		t.Errorf("the terminal begins at %v and is %v px high", top, height)
	}
	p.WantNoErrors()
}

// TestTerminalWidths: characters are as wide as programs have them since Unicode 11.
func TestTerminalWidths(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `printf '🤖🧪|\n'; exec cat`, "--pty"))
	p.shows("🤖🧪|")
	p.Until(`(() => {
		const row = document.querySelector(".xterm-rows > div"), cell = document.querySelector(".xterm-screen").clientWidth / parseInt(document.querySelector("#terminal-size").textContent);
		const range = document.createRange(), last = row.lastElementChild.lastChild;
		range.setStart(last, last.data.indexOf("|"));
		range.setEnd(last, last.data.indexOf("|") + 1);
		return Math.round((range.getBoundingClientRect().left - row.getBoundingClientRect().left) / cell) === 4;
	})()`)
	p.WantNoErrors()
}

// TestCopyOnSelect is a choice.
func TestCopyOnSelect(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `echo first; exec cat`, "--pty"))
	p.shows("first")
	p.run(`window.copied = []; navigator.clipboard.writeText = async (text) => { copied.push(text); }`)
	p.click("first", 2)
	p.activate("copy-on-select")
	p.click("first", 2)
	p.Until(`copied.join() === "first"`)
	p.WantNoErrors()
}

// TestSplit shows log and terminal side by side, for the same connection.
func TestSplit(t *testing.T) {
	t.Parallel()
	p := terminal{newPage(t, shell(t, `while read -r line; do echo "got $line"; done`), "/")}
	p.Do(chromedp.EmulateViewport(1440, 900), chromedp.Click(chromedp.ID("split")))
	p.Until(`document.querySelector(".xterm-rows")`)
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.body.dataset.state === "open"`)
	p.send("one")
	p.received("got one")
	p.Until(`document.querySelector(".xterm-rows").innerText.replaceAll("\u00a0", " ").includes("got one")`)
	boxes := eval[[]float64](p.page, `["log", "terminal"].map((id) => document.getElementById(id).clientWidth)`)
	if boxes[0] < 600 || boxes[1] < 600 {
		t.Errorf("log and terminal are %v px wide", boxes)
	}
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("split")
	p.Do(chromedp.Click(chromedp.ID("split")))
	p.Until(`document.querySelector("#terminal-panel").hidden`)
	p.WantNoErrors()
}

// TestAutomaticFramings: by itself the page shows what a client without channels gets, and
// stderr. How bytes are cut is up to the kernel.
func TestAutomaticFramings(t *testing.T) {
	t.Parallel()
	const messages = `[...document.querySelectorAll("#log .in:not(.stderr) .text")].map((e) => e.textContent).join("|")`
	const text = `printf 'a\n\nb\342\200\203\r\n\303\274\377\n'`
	for framing, output := range map[string]string{
		"lines":  text + `; printf 'last\r'`,
		"nul":    text + `; printf '\000last\r'`,
		"bytes":  text,
		"length": `printf '\000\000\000\003a\nb\000\000\000\000\000\000'; sleep 0.1; printf '\000\004last'`,
		"lsp":    `printf 'Content-Length: 4\r\n\r\na\303\274bCONTENT-LENGTH: 0\r\n\r\nX: y\r\nContent-'; sleep 0.1; printf 'Length: 4\r\n\r\nlast'`,
	} {
		p := newPage(t, shell(t, output+`; echo oops >&2; exit 3`, "--framing="+framing), "/")
		p.connect()
		p.wantStatus("exit status 3", "stderr: oops")
		automatic := eval[string](p, messages)
		p.activate("clear")
		p.plain()
		p.Do(chromedp.Click(chromedp.ID("connect")))
		p.Until(`document.querySelector("#log .divider") && document.querySelector("#log .card")`)
		plain := eval[string](p, messages)
		if framing != "bytes" && (automatic != plain || !strings.Contains(plain, "last")) {
			t.Errorf("%s: %q, without channels %q", framing, automatic, plain)
		}
		p.WantNoErrors()
	}
}

// TestSendRecords: what is sent is a record, too, and the page says if the output is none.
func TestSendRecords(t *testing.T) {
	t.Parallel()
	for framing, prefix := range map[string]string{"length": "^@^@^@^C", "lsp": "Content-Length: 3^M$^M$"} {
		p := newPage(t, shell(t, `head -c `+fmt.Sprint(map[string]int{"length": 7, "lsp": 24}[framing])+` | cat -A >&2; echo >&2; echo plain output, which has no such records; read -r x`, "--framing="+framing), "/")
		p.connect()
		p.send("one")
		p.Until(fmt.Sprintf(`[...document.querySelectorAll("#log .stderr .text")].map((e) => e.textContent).join("") === %q`, prefix+"one"))
		p.Until(`[...document.querySelectorAll("#log .event")].some((e) => e.innerText.includes("does not follow --framing=` + framing + `"))`)
		p.Until(`document.querySelector("#log .in:not(.stderr)").innerText.includes("no such records")`)
		p.WantNoErrors()
	}
}
