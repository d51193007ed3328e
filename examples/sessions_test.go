//go:build unix

package examples_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// on returns the address of a page that server serves.
func on(server *wspipetest.Server, page string) string {
	return strings.Replace(server.WS, "ws", "http", 1) + page
}

// TestLogPage: everybody sees the last lines and what is added, as text, and the
// page comes back by itself when the server does.
func TestLogPage(t *testing.T) {
	t.Parallel()
	b := browser(t)
	log := filepath.Join(t.TempDir(), "log")
	add(t, log, "one\n<b>two</b><script>document.title = 'owned'</script>\n")
	args := []string{"--staticdir=html", "--share=broadcast", "--replay=200", "--readonly", "tail", "-n", "200", "-F", log}
	server := wspipetest.Start(t, args...)
	b.do(chromedp.Navigate(on(server, "log.html")))
	const two = "<b>two</b><script>document.title = 'owned'</script>"
	const lines = `[...document.getElementById("log").children].map((line) => line.textContent).join("\n")`
	b.until(lines, "one\n"+two)
	add(t, log, "\nthree\n")
	b.until(lines, "one\n"+two+"\n\nthree")
	b.untilShown("state", "open")
	other := b.open()
	other.do(chromedp.Navigate(on(server, "log.html")))
	other.until(lines, "one\n"+two+"\n\nthree")
	other.do(chromedp.Navigate("about:blank"))

	server.Signal(syscall.SIGTERM)
	server.Wait()
	b.until(`document.getElementById("state").innerText.replace(/[0-9]+/, "N")`, "connection lost, attempt N")
	add(t, log, "four\n")
	u, err := url.Parse(server.WS)
	if err != nil {
		t.Fatal(err)
	}
	wspipetest.StartCommand(t, exec.Command(wspipetest.Binary(t), append([]string{"--port=" + u.Port()}, args...)...))
	b.until(lines, "one\n"+two+"\n\nthree\nfour")
	b.untilShown("state", "open")
}

// TestLogPageIsBounded: it keeps the last lines, and follows them unless
// somebody reads further up.
func TestLogPageIsBounded(t *testing.T) {
	t.Parallel()
	b := browser(t)
	log := filepath.Join(t.TempDir(), "log")
	var lines strings.Builder
	for i := range 3000 {
		fmt.Fprintln(&lines, "line", i)
	}
	add(t, log, "first\n")
	server := wspipetest.Start(t, "--staticdir=html", "--share=broadcast", "--replay=200", "tail", "-n", "200", "-F", log)
	b.do(chromedp.Navigate(on(server, "log.html")))
	b.untilShown("log", "first")
	add(t, log, lines.String())
	const log0 = `document.getElementById("log")`
	b.until(log0+`.lastChild.textContent`, "line 2999")
	b.until(`[`+log0+`.childElementCount, `+log0+`.firstChild.textContent].join()`, "2000,line 1000")
	const atEnd = `String(` + log0 + `.scrollHeight - ` + log0 + `.clientHeight - ` + log0 + `.scrollTop < 2)`
	b.until(atEnd, "true")
	b.do(chromedp.Evaluate[chromedp.Void](log0 + `.scrollTop -= 1000`))
	b.until(`String(document.getElementById("newest").hidden)`, "false")
	add(t, log, "unseen\n")
	b.until(log0+`.lastChild.textContent`, "unseen")
	b.until(atEnd, "false")
	b.do(chromedp.Click(chromedp.ID("newest")))
	b.until(atEnd, "true")
}

// screen is what the terminal of terminal.html shows, without the blanks at the
// end of lines and screen. The test puts a terminal there.
const screen = `Array.from({ length: terminal.rows }, (_, i) => terminal.buffer.active.getLine(terminal.buffer.active.viewportY + i).translateToString(true)).join("\n").trimEnd()`

// typeLine types into the terminal, each key as one event.
func (b tab) typeLine(line string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(".xterm-screen")))
	for _, char := range line + "\r" {
		key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: string(char), Text: string(char)}
		if char == '\r' {
			key.Key, key.Code, key.WindowsVirtualKeyCode = "Enter", "Enter", 13
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, key); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestTerminalPage: a shell survives reloads, with what is on the screen.
func TestTerminalPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := os.ReadFile("html/terminal.html")
	if err != nil {
		t.Fatal(err)
	}
	const made = "\n  terminal.loadAddon(fit);"
	if strings.Count(string(text), made) != 1 {
		t.Fatal("the page has no place where the test can have its terminal")
	}
	page := strings.Replace(string(text), made, "\n  window.terminal = terminal;"+made, 1)
	if err := os.WriteFile(filepath.Join(dir, "terminal.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	server := wspipetest.Start(t, "--staticdir="+dir, "--resume=1m", "--pty", "--setenv=PS1=> ", wspipetest.Need(t, "bash"), "--norc", "--noediting")
	b := browser(t)
	b.do(chromedp.EmulateViewport(700, 400), chromedp.Navigate(on(server, "terminal.html")))
	b.until(screen, ">")
	b.until(`String(terminal.cols < 90)`, "true") // it fits the window
	b.typeLine("x=größe; stty size")
	shown := "> x=größe; stty size\n" + eval(b, `terminal.rows + " " + terminal.cols`) + "\n>"
	b.until(screen, shown)

	b.do(chromedp.Reload())
	b.until(screen, shown)
	b.typeLine(`echo "$x"`)
	b.until(screen, shown+" echo \"$x\"\ngröße\n>")
	b.typeLine(`printf '\033[?1049h\033[H\033[1;31mother\033[m screen: %s' "$x"; read -r _; tput rmcup`)
	b.until(screen, "other screen: größe")
	b.do(chromedp.EmulateViewport(500, 300), chromedp.Reload())
	b.until(screen, "other screen: größe")
	b.typeLine("")
	b.until(`String(`+screen+`.startsWith("> x=größe; stty size\n"))`, "true")
	b.typeLine("stty size; exit 5")
	b.until(screen+`.split("\n").at(-2)`, eval(b, `terminal.rows + " " + terminal.cols`))
	b.until(`document.getElementById("state").innerText`, "exit 5. Reload for another shell.")

	b.do(chromedp.Reload())
	b.until(screen, ">")
}

// eval returns the value of a JavaScript expression.
func eval(b tab, expression string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}
