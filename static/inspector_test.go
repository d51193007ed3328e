package static_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// useFrom returns what the page has for a language or tool.
func (p *page) useFrom(name string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`(() => {
		const choice = document.querySelector('[aria-label="Use it from"]');
		choice.value = %q;
		choice.dispatchEvent(new Event("change"));
		return document.querySelector("#code-inspector pre").textContent;
	})()`, name))
}

// TestUseItFrom: the code is for the address and the message that the user has, and it
// works, whatever these contain.
func TestUseItFrom(t *testing.T) {
	t.Parallel()
	server := shell(t, `read -r line; printf '%s\n' "got $line"`)
	p := newPage(t, server, `/a'b?x="$(id)"`)
	p.Do(chromedp.EmulateViewport(1440, 900), chromedp.Click(chromedp.ID("inspect")))
	p.Until(`document.querySelector("#code-inspector pre").textContent.includes("new WebSocket")`)
	const message = `it's "so" $(id) ` + "`id`" + ` </script> \n ü`
	p.Do(chromedp.SendKeys(chromedp.ID("message"), message))
	p.Until(`document.querySelector("#code-inspector pre").textContent.includes("\\u003c/script>")`)
	answer := func(name, got string, err error) {
		t.Helper()
		if err != nil || !strings.HasPrefix(got, "got "+message) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	answer("JavaScript", eval[string](p, `(() => new Promise((done) => { const console = { log: done }; `+p.useFrom("JavaScript")+` }))()`), nil)

	out, err := exec.Command(wspipetest.PythonWebsockets(t), "-c", p.useFrom("Python")).Output()
	answer("Python", string(out), err)
	dir := t.TempDir()
	for _, name := range []string{"wspipe", "websocat"} { // which shows its arguments
		write(t, filepath.Join(dir, name), `#!/bin/sh
			cat; printf '%s\n' "$@"`)
	}
	for _, name := range []string{"wspipe connect", "websocat"} {
		cmd := exec.Command("/bin/sh", "-c", p.useFrom(name))
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.Output()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if err != nil || lines[0] != message || lines[len(lines)-1] != server.WS+`a'b?x=%22$(id)%22` {
			t.Errorf("%s is given %q, %v", name, lines, err)
		}
	}
	if text := p.useFrom("HTML page"); strings.Count(text, "</script>") != 1 {
		t.Errorf("the page ends its script early: %s", text)
	}
	p.WantNoErrors()
}

// TestInspectMessage: a click on a message's time shows it, and how it differs from the
// one before.
func TestInspectMessage(t *testing.T) {
	t.Parallel()
	p := newPage(t, says(t, "{\"n\": 1, \"ok\": true}\n{\"n\": 27, \"ok\": true}\n"), "/")
	p.Do(chromedp.EmulateViewport(1440, 900))
	p.connect()
	p.Until(`document.querySelectorAll("#log .in").length === 2`)
	p.Do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#log .in time")].at(-1).click()`))
	p.wantText("#message-inspector ins", "27")
	p.wantText("#message-inspector del", "1")
	p.Until(`document.querySelector("#message-inspector").innerText.includes("7b 22 6e 22")`)
	p.Do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#message-inspector button")].find((b) => b.textContent === "Send again").click()`))
	p.Until(`document.querySelector("#log .out")`)
	p.WantNoErrors()
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("inspector")
}

// TestCodeHasNoToken: the place of the token is a word.
func TestCodeHasNoToken(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat", "--token-file="+tokenFile(t)), "/?access_token=T-._~%2B/sesame==")
	p.Do(chromedp.EmulateViewport(1440, 900), chromedp.Click(chromedp.ID("inspect")))
	p.Until(`document.querySelector("#code-inspector pre")`)
	for _, name := range []string{"JavaScript", "Python", "curl", "websocat", "wspipe connect", "HTML page"} {
		if text := p.useFrom(name); !strings.Contains(text, "TOKEN") || strings.Contains(text, "sesame") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestTheSameByCurl: with --http the code for curl is requests that work.
func TestTheSameByCurl(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "curl")
	p := newPage(t, shell(t, `echo hi; sed 's/^/got /'`, "--http"), "/a?b=c&d=e")
	p.Do(chromedp.EmulateViewport(1440, 900), chromedp.Click(chromedp.ID("inspect")))
	p.Until(`document.querySelector("#code-inspector pre").textContent.includes("new WebSocket")`)
	p.Do(chromedp.SendKeys(chromedp.ID("message"), "it's me"))
	p.Until(`document.querySelector("#code-inspector pre").textContent.includes("it's me")`)
	out, err := exec.Command("/bin/sh", "-c", p.useFrom("curl")).Output()
	if want := "hi\nhi\ngot it's me\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}
