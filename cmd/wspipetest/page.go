package wspipetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var stopBrowser = func() {}

// browser starts Chromium once for all tests of a package; each of them gets
// a tab. To it all names below .example (RFC 2606) are this machine's, and all
// certificates are good.
var browser = sync.OnceValues(func() (context.Context, error) {
	path, err := exec.LookPath("chromium") // NewPage has seen to it
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chromium") // it leaves its sockets behind
	if err != nil {
		return nil, err
	}
	if path, err = yielding(dir, path); err != nil {
		return nil, err
	}
	flags := append(Chromium(path), chromedp.Env("TMPDIR="+dir), chromedp.IgnoreCertErrors, chromedp.Flag("host-resolver-rules", "MAP *.example 127.0.0.1"),
		// Where it has these, they keep pages from us that ours must keep out itself.
		chromedp.Flag("disable-features", "LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"))
	// With no UserDataDir, chromedp makes a temporary one and removes it.
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, stop := chromedp.NewContext(alloc)
	stopBrowser = func() {
		chromedp.Cancel(ctx) // waits for the browser, so that its directory goes too
		stop()
		stopAlloc()
		os.RemoveAll(dir)
	}
	return ctx, chromedp.Do(ctx)
})

// yielding makes a command in dir that is program, but leaves the processor to
// others. A browser has no limits of time but those of tests, which are generous;
// what runs beside it has.
func yielding(dir, program string) (command string, err error) {
	command = filepath.Join(dir, "yielding")
	syscall.ForkLock.RLock() // as in WriteMode
	defer syscall.ForkLock.RUnlock()
	return command, os.WriteFile(command, []byte("#!/bin/sh\nexec nice -n 10 '"+program+"' \"$@\"\n"), 0o700)
}

// Page is a tab of Chromium that fails its test.
type Page struct {
	// Ctx is the tab's, for calls of chromedp. It bounds a broken test.
	Ctx context.Context

	t      testing.TB
	mu     sync.Mutex
	errors []string // what the browser had against the page
}

// NewPage opens an empty tab that shares no passwords with any other, and
// closes it with the test, which has a few times Patience for all that it does
// there. Main ends the browser.
func NewPage(t testing.TB) *Page {
	t.Helper()
	Need(t, "chromium")
	parent, err := browser()
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	p := &Page{t: t}
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	// Or Chromium would tell of each message of a WebSocket, which takes it longer
	// than the page takes for it.
	if _, err := chromedp.Call(tab, network.Disable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(tab, p.listen); err != nil {
		t.Fatal(err)
	}
	// The user leaves a page that asks whether to.
	leave := func(event any) {
		if _, ok := event.(*page.EventJavascriptDialogOpening); ok {
			go chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}) // ends with the tab
		}
	}
	if err := chromedp.Listen(tab, leave); err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	p.Ctx, cancel = context.WithTimeout(tab, 4*Patience)
	t.Cleanup(cancel)
	return p
}

// listen notes exceptions, files that are missing and breaches of the
// Content-Security-Policy.
func (p *Page) listen(event any) {
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

// WantNoErrors fails the test if the browser had anything against the page.
func (p *Page) WantNoErrors() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.errors {
		p.t.Errorf("the browser says: %s", text)
	}
}

// Do runs actions, all of which must do.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.Ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// Eval returns the value of a JavaScript expression, or of its promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.Ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// Until waits until condition, a JavaScript expression, holds. It stands in for
// chromedp.Poll, whose new Function a Content-Security-Policy may forbid.
func (p *Page) Until(condition string) {
	p.t.Helper()
	wait := fmt.Sprintf(`new Promise((done) => {
		const look = () => { try { if (%s) return done(true); } catch {} setTimeout(look, 20); };
		look();
	})`, condition)
	if _, err := chromedp.Run(p.Ctx, chromedp.Evaluate[bool](wait, chromedp.EvalAwaitPromise)); err != nil {
		p.t.Fatalf("waiting for %s: %v\nthe page says:\n%s", condition, err, p.text())
	}
}

// text is what the page shows, for the message of a failed test.
func (p *Page) text() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.Ctx), Patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`))
	if err != nil {
		return err.Error()
	}
	return text[:min(len(text), 4000)]
}
