package static_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) { os.Exit(wspipetest.Main(m)) }

// page is a tab that shows the console.
type page struct {
	*wspipetest.Page
	t testing.TB
}

// newPage opens the console of server at path, which may have a query.
func newPage(t testing.TB, server *wspipetest.Server, path string) *page {
	t.Helper()
	p := &page{wspipetest.NewPage(t), t}
	p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + strings.TrimPrefix(path, "/")))
	p.ready()
	return p
}

// ready waits until the console has been loaded and knows what there is to connect
// to: before, it may move what is to be clicked.
func (p *page) ready() {
	p.t.Helper()
	p.Until(`document.body.dataset.state === "closed" && (document.querySelector("#facts li") || !document.querySelector("#endpoints").hidden)`)
}

// eval returns the value of a JavaScript expression, or of its promise.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	return wspipetest.Eval[T](p.Page, expression)
}

// connect presses Connect and waits until the connection is open, or has been.
func (p *page) connect() {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(`/^[1-9]/.test(kept.textContent)`)
}

// enter presses Enter as a keyboard does. chromedp's kb.Enter types a newline
// even where the page has used the key up.
func (p *page) enter(modifiers ...chromedp.Modifier) {
	p.t.Helper()
	var held int64
	for _, m := range modifiers {
		held |= int64(m)
	}
	key := input.DispatchKeyEventParams{Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, Modifiers: held}
	down, up := key, key
	down.Type, down.Text = input.DispatchKeyEventTypeKeyDown, "\r" // with its text, as one event
	up.Type = input.DispatchKeyEventTypeKeyUp
	for _, k := range []input.DispatchKeyEventParams{down, up} {
		if _, err := chromedp.Call(p.Ctx, input.DispatchKeyEvent, k); err != nil {
			p.t.Fatal(err)
		}
	}
}

// send types text into the send box and presses Enter.
func (p *page) send(text string) {
	p.t.Helper()
	p.Do(chromedp.SendKeys(chromedp.ID("message"), text))
	p.enter()
	p.Until(`document.querySelector("#message").value === ""`)
}

// received waits for a message with exactly this text.
func (p *page) received(text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`[...document.querySelectorAll("#log .in .text")].some((e) => e.textContent === %q)`, text))
}

// wantStatus waits until each of the texts is in the state, or in the card of the
// last end.
func (p *page) wantStatus(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.Until(fmt.Sprintf(`[...document.querySelectorAll("#state, #log .card:last-child")].filter((e, i, all) => i === 0 || i === all.length - 1).some((e) => e.innerText.includes(%q))`, text))
	}
}

// reveal opens the menu that an element is in, if it is in one.
func (p *page) reveal(id string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(document.getElementById(%q).closest("details.menu")?.setAttribute("open", ""), true)`, id))
}

// activate clicks on a control, which may be in a menu.
func (p *page) activate(id string) {
	p.t.Helper()
	p.reveal(id)
	p.Do(chromedp.Click(chromedp.ID(id)))
}

// plain has the page offer no subprotocol.
func (p *page) plain() {
	p.t.Helper()
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "none"))
}

// tools does something with the tools: on a phone they are in a sheet.
func (p *page) tools(do func()) {
	p.t.Helper()
	phone := eval[bool](p, `document.body.classList.contains("phone")`)
	if phone {
		p.Do(chromedp.Click(chromedp.ID("more")))
	}
	do()
	if phone {
		p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#sheet").close()`))
	}
}

// show presses the chip that shows only entries of a kind, or all.
func (p *page) show(kind string) {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.CSS(fmt.Sprintf(`[data-show=%q]`, kind))))
}

func (p *page) wantText(selector, want string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`document.querySelector(%q).innerText === %q`, selector, want))
}

// choose picks an option of a select by the keyboard.
func (p *page) choose(id, value string) {
	p.t.Helper()
	p.reveal(id)
	p.Do(chromedp.Focus(chromedp.ID(id)), chromedp.KeyEvent(kb.Home))
	for !eval[bool](p, fmt.Sprintf(`document.getElementById(%q).value === %q`, id, value)) {
		p.Do(chromedp.KeyEvent(kb.ArrowDown))
	}
}
