package static_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// wire has the page show the Wire section of the inspector.
func (p *page) wire() {
	p.t.Helper()
	p.Do(chromedp.EmulateViewport(1440, 900), chromedp.Click(chromedp.ID("inspect")))
	p.Until(`document.querySelector("#wire-inspector-tab")`)
	p.Do(chromedp.Click(chromedp.ID("wire-inspector-tab")))
	p.Until(`document.querySelector("#wire-inspector .frames")`)
}

// frame is the JavaScript for the row of the wire that begins with text.
func frame(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".frames .row")].find((row) => row.querySelector(".text").textContent.startsWith(%q))`, text)
}

// wantMeaning clicks on a field of the row that begins with text and waits for its meaning.
func (p *page) wantMeaning(text, field, meaning string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void](frame(text) + fmt.Sprintf(`.querySelector('[data-field="%s"]').click()`, field)))
	p.Until(fmt.Sprintf(`document.querySelector(".meaning").textContent.includes(%q)`, meaning))
}

// TestWire: handshake, frames, pings and the closing handshake appear as they pass, and a
// click on a field says what it means, and where it is in the frame.
func TestWire(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `read -r a; echo "got $a"; read -r b; exit 3`, "--pingms=5000", "--compress"), "/?a=b")
	p.wire()
	p.plain()
	p.connect()
	p.send(strings.Repeat("hello ", 30))
	p.Until(frame("pong") + `.textContent.includes("rtt=")`)
	p.send("end")
	p.wantStatus("exit status 3")
	p.Until(frame("the connection has ended"))
	for _, test := range []struct{ text, field, meaning, marked string }{
		{"GET /?a=b", "text", "HTTP request with GET", ""},
		{"Sec-Websocket-Key:", "text", "16 random bytes", ""},
		{"HTTP/1.1 101", "text", "the server accepts", ""},
		{"Sec-WebSocket-Accept: key", "text", "SHA-1", ""},
		{"text fin=1 rsv=100", "mask", "by XOR", "MASK 1/masking key "},
		{"text fin=1 rsv=100", "rsv", "RFC 7692", "RSV1 1/RSV2 0/RSV3 0"},
		{"text fin=1 rsv=000", "len", "the next 16 bits", "payload length 126/extended payload length 183"},
		{"ping", "opcode", "Opcode 9 (1001 in binary)", "opcode 9"},
		{"pong", "rtt", "after its ping", ""},
		{"close", "code", "Close code 1000, normal closure", "close code 1000"},
		{"close", "reason", "how the program ended", `reason "exit 3"/reason, continued `},
		{"close", "begun", "The server began the closing handshake", ""},
		{"close", "time", "seconds after connection 1", ""},
	} {
		p.wantMeaning(test.text, test.field, test.meaning)
		marked := eval[string](p, `[...document.querySelectorAll(".diagram .marked")].map((cell) => cell.textContent).join("/")`)
		if !strings.HasPrefix(marked, test.marked) || test.marked == "" != (marked == "") {
			t.Errorf("%s, %s: the diagram marks %q, want %q", test.text, test.field, marked, test.marked)
		}
	}
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("section Wire")
	p.show("wire")
	p.Until(`document.querySelector("#messages .frames").checkVisibility() && !document.querySelector("#log").checkVisibility()`)
	p.wantAccessible("chip Wire")
	p.Do(chromedp.SendKeys(chromedp.ID("filter"), `payload="end"`))
	p.Until(`[...document.querySelectorAll(".frames .row .opcode")].map((e) => e.textContent).join() === "text"`)
	p.show("")
	p.Until(`document.querySelector("#wire-inspector .frames").checkVisibility() && document.querySelector("#log").checkVisibility()`)
	p.WantNoErrors()
}

// TestWireIsIdle: nothing is loaded or traced before the user wants it, and then the page
// says why a connection is not traced.
func TestWireIsIdle(t *testing.T) {
	t.Parallel()
	s, other := shell(t, "cat"), shell(t, "cat", "--origin=*")
	p := newPage(t, s, "/")
	p.connect()
	p.send("one")
	p.received("one")
	if names := eval[string](p, `performance.getEntriesByType("resource").map(({ name }) => name).join()`); strings.Contains(names, "/wire/") {
		t.Errorf("the page has loaded %s", names)
	}
	const note = `document.querySelector(".wire-note p")?.textContent`
	p.wire()
	p.Until(note + `.includes("This connection is not traced")`)
	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".wire-note button").click()`))
	p.Until(frame("binary") + ` && ` + note + ` === ""`)

	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(frame("the connection has ended") + ` && document.body.dataset.state === "closed"`)
	p.connectTo(other.WS)
	p.Until(`document.body.dataset.state === "open" && ` + note + `.includes("wspipe connect --trace URL")`)
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.body.dataset.state === "closed"`)
	for i := range 100 { // as many as the server has
		wspipetest.Dial(t, fmt.Sprintf("%s.wspipe/trace?wspipe_trace=%022d", s.WS, i), nil)
	}
	p.connectTo(s.WS)
	p.Until(`document.body.dataset.state === "open" && ` + note + `.includes("The server has not opened the trace")`)
}

// TestWireFlood: a flood leaves few rows, and the server says how many lines it left out.
func TestWireFlood(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `read -r a; seq 100000; read -r b`), "/")
	p.plain()
	p.show("wire")
	p.Until(`document.querySelector("#messages .frames")`)
	p.connect()
	p.Do(chromedp.Evaluate[chromedp.Void](`window.most = 0; new MutationObserver(() => { most = Math.max(most, document.querySelectorAll(".frames .row").length); }).observe(document.querySelector(".frames"), { childList: true, subtree: true })`))
	p.send("go")
	p.Until(`/^100,00[01] messages/.test(received.textContent)`)
	p.send("end")
	p.wantStatus("exit status 0")
	p.Until(`/ lines were lost|connection has ended/.test([...document.querySelectorAll(".frames .row")].at(-1).textContent)`) // the end may be among the lost ones
	if most := eval[int](p, `most`); most < 10 || most > 600 {
		t.Errorf("%d rows at a time", most)
	}
	if !eval[bool](p, `document.querySelector(".frames").scrollHeight < 10_100 * 40`) {
		t.Error("more lines are kept than 10,000")
	}
	p.WantNoErrors()
}
