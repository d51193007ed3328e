package static_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) {
	code := wspipetest.Main(m)
	stopBrowser()
	os.Exit(code)
}

var stopBrowser = func() {}

// browser starts Chromium once for all tests; each of them gets a tab.
var browser = sync.OnceValues(func() (context.Context, error) {
	path, err := exec.LookPath("chromium") // newPage has seen to it
	if err != nil {
		return nil, err
	}
	// With no UserDataDir, chromedp makes a temporary one and removes it.
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), wspipetest.Chromium(path)...)
	ctx, stop := chromedp.NewContext(alloc)
	stopBrowser = func() {
		chromedp.Cancel(ctx) // waits for the browser, so that its directory goes too
		stop()
		stopAlloc()
	}
	return ctx, chromedp.Do(ctx)
})

// page is a tab that shows the console.
type page struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string // what the browser had against the page
}

type action = chromedp.Action[chromedp.Void]

// newPage opens the console of server at path, which may have a query. The
// test has a few times wspipetest.Patience for all that it does there.
func newPage(t testing.TB, server *wspipetest.Server, path string) *page {
	t.Helper()
	wspipetest.Need(t, "chromium")
	parent, err := browser()
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	p := &page{t: t}
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(tab, p.listen); err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithTimeout(tab, 4*wspipetest.Patience)
	t.Cleanup(cancel)
	p.do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + strings.TrimPrefix(path, "/")))
	p.until(`document.body.dataset.state === "closed"`)
	return p
}

// listen notes exceptions, files that are missing and breaches of the
// Content-Security-Policy.
func (p *page) listen(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *log.EventEntryAdded:
		text = fmt.Sprint(e.Entry.Level, ": ", e.Entry.Text)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, text)
}

// wantNoErrors fails the test if the browser had anything against the page.
func (p *page) wantNoErrors() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.errors {
		p.t.Errorf("the browser says: %s", text)
	}
}

func (p *page) do(actions ...action) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression, or of its promise.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits until condition, a JavaScript expression, holds. It stands in for
// chromedp.Poll, whose new Function the Content-Security-Policy forbids.
func (p *page) until(condition string) {
	p.t.Helper()
	wait := fmt.Sprintf(`new Promise((done) => {
		const look = () => { try { if (%s) return done(true); } catch {} setTimeout(look, 20); };
		look();
	})`, condition)
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](wait, chromedp.EvalAwaitPromise)); err != nil {
		p.t.Fatalf("waiting for %s: %v\nthe page says:\n%s", condition, err, p.text())
	}
}

// text is what the page shows, for the message of a failed test.
func (p *page) text() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), wspipetest.Patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`))
	if err != nil {
		return err.Error()
	}
	return text[:min(len(text), 4000)]
}

// connect presses Connect and waits until the connection is open, or has been.
func (p *page) connect() {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.ID("connect")))
	p.until(`document.querySelector("#log .event")`)
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
		if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, k); err != nil {
			p.t.Fatal(err)
		}
	}
}

// send types text into the send box and presses Enter.
func (p *page) send(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.ID("message"), text))
	p.enter()
	p.until(`document.querySelector("#message").value === ""`)
}

// received waits for a message with exactly this text.
func (p *page) received(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`[...document.querySelectorAll("#log .in .text")].some((e) => e.textContent === %q)`, text))
}

// wantStatus waits until the status panel says each of the texts.
func (p *page) wantStatus(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until(fmt.Sprintf(`document.querySelector("#status").innerText.includes(%q)`, text))
	}
}

func (p *page) wantText(selector, want string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector(%q).innerText === %q`, selector, want))
}
