package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// The console where only tokens are good: the page has one in its address, and a
// cookie for its parts.

const token = "T-._~+/sesame=="

// tokenFile returns the path of a file with the token.
func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// asked counts the questions of the page so far whose URL has text in it.
func (p *page) asked(text string) int {
	p.t.Helper()
	return eval[int](p, fmt.Sprintf(`performance.getEntriesByType("resource").filter((e) => e.name.includes(%q)).length`, text))
}

// TestConsoleByToken: the page works whole, also when it is loaded again.
func TestConsoleByToken(t *testing.T) {
	t.Parallel()
	const tell = `echo "$AUTH_TYPE|$HTTP_COOKIE|$QUERY_STRING"; cat`
	server := shell(t, tell, "--token-file="+tokenFile(t), "--resume=1m")
	p := newPage(t, server, "/.wspipe/talk?a=1&access_token=T-._~%2B/sesame==")
	p.Until(`document.querySelector("#facts").innerText.includes("program sh")`)
	p.connect()
	p.received("Bearer||a=1") // the browser has sent the cookie, and the child is not told
	p.send("hello")
	p.received("hello")
	p.Do(chromedp.Click(chromedp.ID("terminal-tab")))
	p.Until(`performance.getEntriesByType("resource").some((e) => e.name.endsWith("/terminal/panel.js") && e.responseStatus === 200)`) // a part that comes late
	p.Do(chromedp.Click(chromedp.ID("messages-tab")), chromedp.Reload())
	p.Until(`document.body.dataset.state === "open"`)
	p.received("hello")
	ask := func(path string) string {
		return eval[string](p, fmt.Sprintf(`fetch("/.wspipe/handshake?path=" + encodeURIComponent(%q)).then((a) => a.json()).then(({ status }) => String(status))`, path))
	}
	if with, without := ask("/.wspipe/talk?access_token="+token), ask("/.wspipe/talk"); with != "401" || without != "401" {
		t.Errorf("a plus that is a space, and no token: told %s and %s", with, without)
	}
	if got := ask("/.wspipe/talk?access_token=T-._~%2B/sesame=="); got != "101" {
		t.Errorf("the right token: told %s", got)
	}
	if cookie := eval[string](p, `document.cookie`); cookie != "" {
		t.Errorf("scripts can read the cookie: %s", cookie)
	}
	p.WantNoErrors()

	// Alone it opens no WebSocket and no page, be it of the console.
	for _, path := range []string{"/", "/.wspipe/talk"} {
		code := eval[int](p, fmt.Sprintf(`new Promise((done) => { new WebSocket(location.origin.replace("http", "ws") + %q).onclose = ({ code }) => done(code); })`, path))
		if code != 1006 {
			t.Errorf("a WebSocket to %s: closed with %d", path, code)
		}
	}
	if _, err := chromedp.Call(p.Ctx, cdppage.Navigate, cdppage.NavigateParams{URL: strings.Replace(server.WS, "ws", "http", 1)}); err != nil {
		t.Fatal(err)
	}
	p.Until(`document.body.innerText.startsWith("wspipe: no credentials (--token-file)")`)
	if log := server.Stderr(); strings.Contains(log, "sesame") || strings.Contains(log, "wspipe_") {
		t.Errorf("the log tells a secret:\n%s", log)
	}
}

// TestLinksByToken: those to the other endpoints' pages go by the token, too.
func TestLinksByToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one.sh"), "#!/bin/sh\necho one; cat")
	write(t, filepath.Join(dir, "two.sh"), "#!/bin/sh\necho two; cat")
	server := wspipetest.Start(t, "--devconsole", "--dir="+dir, "--token-file="+tokenFile(t))
	p := newPage(t, server, "/?x=1&access_token=T-._~%2B/sesame==&y=2")
	p.Until(`document.querySelectorAll("#endpoint-list a").length === 2`)
	p.Do(chromedp.Click(chromedp.CSS("#endpoint-list li:last-child a")))
	p.Until(`location.pathname === "/two.sh"`)
	p.ready()
	p.Until(`document.querySelector("#endpoint-list [aria-current=page]").textContent === "/two.sh"`)
	p.connect()
	p.received("two")
	p.WantNoErrors()
}

// TestListIsAskedForOnce, and again for another endpoint, however often the page
// asks who is there.
func TestListIsAskedForOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one.sh"), "#!/bin/sh\nexec cat")
	write(t, filepath.Join(dir, "two.sh"), "#!/bin/sh\nexec cat")
	server := wspipetest.Start(t, "--devconsole", "--dir="+dir, "--share=broadcast")
	p := newPage(t, server, "/one.sh")
	p.Until(`document.querySelectorAll("#endpoint-list a").length === 2`)
	const questions = `performance.getEntriesByType("resource").filter((e) => e.name.includes("/endpoint?")).length >= `
	p.Until(questions + `3`)
	if n := p.asked("/endpoints"); n != 1 {
		t.Errorf("the list was asked for %d times", n)
	}
	write(t, filepath.Join(dir, "three.sh"), "#!/bin/sh\nexec cat")
	p.Do(chromedp.Evaluate[chromedp.Void](`address.value = "/two.sh"; address.dispatchEvent(new Event("change"))`))
	p.Until(`document.querySelectorAll("#endpoint-list a").length === 3`)
	p.Until(`document.querySelector("#endpoint-list [aria-current=page]").textContent === "/two.sh"`)
	p.Until(questions + `5`)
	if n := p.asked("/endpoints"); n != 2 {
		t.Errorf("the list was asked for %d times", n)
	}
	p.WantNoErrors()
}
