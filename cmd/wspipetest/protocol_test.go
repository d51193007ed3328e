//go:build unix

package wspipetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// example returns the one code block of docs/protocol.md in that language.
func example(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```\n").FindAllSubmatch(text, -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/protocol.md has %d blocks of %s", len(blocks), language)
	}
	return string(blocks[0][1]) + "\n"
}

// TestProtocolInBash runs the shell client of docs/protocol.md.
func TestProtocolInBash(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "ws.sh")
	wspipetest.WriteMode(t, script, example(t, "bash"), 0o700)
	s := wspipetest.Start(t, "sh", "-c", `read a; read b; echo "$a, $b"; echo; head -c 70000 /dev/zero | tr '\0' x; echo; exit 7`)
	host, port, _ := strings.Cut(strings.Trim(strings.TrimPrefix(s.WS, "ws:"), "/"), ":")
	client := exec.Command(wspipetest.Need(t, "bash"), script, host, port, "/")
	client.Stdin = strings.NewReader("Jörg\n" + strings.Repeat("y", 300) + "\n")
	client.Stderr = t.Output()
	out, err := client.Output()
	if client.ProcessState.ExitCode() != 7 {
		t.Errorf("the client ended with %v", err)
	}
	want := "Jörg, " + strings.Repeat("y", 300) + "\n\n" + strings.Repeat("x", 70000) + "\n"
	if string(out) != want {
		t.Errorf("got %d bytes, %.100q, want %d", len(out), out, len(want))
	}
}

// xtermSite returns a directory with xterm.js and a page that shows a terminal.
func xtermSite(t *testing.T, page string) string {
	t.Helper()
	dir := t.TempDir()
	npm := exec.Command(wspipetest.Need(t, "npm"), "install", "--no-audit", "--no-fund", "--loglevel=error",
		"@xterm/xterm@5.5.0", "@xterm/addon-attach@0.11.0")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "terminal.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// screen is what the terminal of a page shows, in JavaScript.
const screen = `Array.from({length: terminal.rows}, (_, i) => terminal.buffer.active.getLine(terminal.buffer.active.viewportY + i).translateToString(true)).join("\n")`

// openTerminal opens the page of an xtermSite where the terminal runs sh.
func openTerminal(t *testing.T, page string) *wspipetest.Page {
	t.Helper()
	s := wspipetest.Start(t, "--pty", "--staticdir="+xtermSite(t, page), "--setenv=PS1=ready> ", "sh")
	p := wspipetest.NewPage(t)
	p.Do(chromedp.Navigate(strings.Replace(s.WS, "ws", "http", 1) + "terminal.html"))
	p.Until(screen + `.includes("ready>")`)
	return p
}

// enter types a line into the terminal, each key as one event: chromedp's own
// keys come twice where a page has no text field.
func enter(t *testing.T, p *wspipetest.Page, line string) {
	t.Helper()
	p.Do(chromedp.Click(chromedp.CSS(".xterm-screen")))
	for _, char := range line + "\r" {
		key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: string(char), Text: string(char)}
		if char == '\r' {
			key.Key, key.Code, key.WindowsVirtualKeyCode = "Enter", "Enter", 13
		}
		if _, err := chromedp.Call(p.Ctx, input.DispatchKeyEvent, key); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProtocolInBrowser opens the page of docs/protocol.md in a browser, and
// types.
func TestProtocolInBrowser(t *testing.T) {
	t.Parallel()
	p := openTerminal(t, strings.Replace(example(t, "html"), "const terminal =", "const terminal = window.terminal =", 1))
	p.Do(chromedp.EmulateViewport(700, 400))
	p.Until(`terminal.cols < 90`)
	enter(t, p, `echo "size $(stty size)"`)
	p.Until(screen + ".includes(`size ${terminal.rows} ${terminal.cols}`)")
	p.Do(chromedp.EmulateViewport(500, 300))
	p.Until(`terminal.cols < 65`)
	enter(t, p, `clear; echo "größe $(stty size)"`)
	p.Until(screen + ".includes(`größe ${terminal.rows} ${terminal.cols}`)")
	enter(t, p, "exit 5")
	p.Until(screen + `.includes("[exit 5]")`)
	p.WantNoErrors()
}

// TestAttachAddon: xterm.js' own addon speaks to a terminal by plain messages.
func TestAttachAddon(t *testing.T) {
	t.Parallel()
	p := openTerminal(t, `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="node_modules/@xterm/xterm/css/xterm.css">
<script src="node_modules/@xterm/xterm/lib/xterm.js"></script>
<script src="node_modules/@xterm/addon-attach/lib/addon-attach.js"></script>
<body>
<script>
  const terminal = new Terminal();
  terminal.open(document.body);
  const ws = new WebSocket(location.href.replace(/^http/, "ws"));
  terminal.loadAddon(new AttachAddon.AttachAddon(ws));
</script>`)
	enter(t, p, `printf '\033[1mbold\033[m %s\n' "$(stty size)" größer`)
	p.Until(screen + `.includes("bold 24 80") && ` + screen + `.includes("bold größer")`)
	p.WantNoErrors()
}
