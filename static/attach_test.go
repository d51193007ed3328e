//go:build unix

package static_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// typeLine types into the terminal of a page, each key as one event.
func (p *page) typeLine(line string) {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.CSS(".xterm-screen")))
	for _, char := range line {
		key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: string(char), Text: string(char)}
		if _, err := chromedp.Call(p.Ctx, input.DispatchKeyEvent, key); err != nil {
			p.t.Fatal(err)
		}
	}
	p.enter()
}

// untilScreen waits until the terminal shows these lines.
func (p *page) untilScreen(lines ...string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`screen() === %q`, strings.Join(lines, "\n")))
}

// TestAttachAddon: xterm.js' own addon takes the socket for a WebSocket. The
// shell survives the network and the page, which is filled again.
func TestAttachAddon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wspipetest.NPMInstall(t, dir, "@xterm/xterm@5.5.0", "@xterm/addon-attach@0.11.0")
	text, err := os.ReadFile("testdata/attach.html")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "attach.html"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := wspipetest.Start(t, "--staticdir="+dir, "--resume=1m", "--pty", "--setenv=PS1=> ", wspipetest.Need(t, "bash"), "--norc", "--noediting")
	r := newRelay(t, server)
	p := &page{wspipetest.NewPage(t), t}
	p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + "attach.html?ws=" + url.QueryEscape(r.WS)))
	p.untilScreen(">")
	p.typeLine(`x=$((6*7)); echo "größer $x"`)
	before := []string{`> x=$((6*7)); echo "größer $x"`, "größer 42"}
	p.untilScreen(append(before, ">")...)

	r.refuse(true)
	p.run(`await new Promise((done) => socket.addEventListener("reconnecting", done))`)
	p.typeLine(`echo "offline $x"`)
	r.refuse(false)
	before = append(before, `> echo "offline $x"`, "offline 42")
	p.untilScreen(append(before, ">")...)

	p.Do(chromedp.Reload())
	p.Until(`window.screen`)
	p.untilScreen(append(before, ">")...)
	p.typeLine(`echo "after $x"; exit 3`)
	before = append(before, `> echo "after $x"; exit 3`, "after 42", "exit")
	p.untilScreen(before...)
	p.Until(`socket.readyState === 3`)
}
