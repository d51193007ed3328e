//go:build unix

package static_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// terminal is a console whose view of a terminal is open.
type terminal struct{ *page }

// keys that xterm.js knows by their number.
var keys = map[string]int64{
	"Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38,
	"ArrowRight": 39, "ArrowDown": 40, "Insert": 45, "Delete": 46, "F6": 117,
}

// bash serves a shell that has a terminal.
func bash(t *testing.T, flags ...string) *wspipetest.Server {
	t.Helper()
	wspipetest.Need(t, "bash")
	return shell(t, `exec bash --norc`, append([]string{"--pty", "--setenv=PS1=> ", "--setenv=LANG=C.UTF-8", "--setenv=HISTFILE="}, flags...)...)
}

// newTerminal opens the view of a terminal and, with v1.wspipe, a connection.
func newTerminal(t *testing.T, server *wspipetest.Server) terminal {
	t.Helper()
	p := terminal{newPage(t, server, "/")}
	p.choose()
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"), chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.activeElement.matches(".xterm-helper-textarea")`)
	return p
}

// onPrompt is newTerminal with bash at its prompt.
func onPrompt(t *testing.T, flags ...string) terminal {
	t.Helper()
	p := newTerminal(t, bash(t, flags...))
	p.shows(`> `)
	return p
}

// choose opens the terminal's tab.
func (p terminal) choose() {
	p.t.Helper()
	p.tools(func() { p.Do(chromedp.Click(chromedp.ID("terminal-tab"))) })
	p.Until(`document.querySelector(".xterm-rows").offsetParent && document.querySelector("#terminal-size").textContent`)
	p.run(`window.rows = () => [...document.querySelectorAll(".xterm-rows > div")].map((row) => row.textContent.replaceAll("\u00a0", " ").trimEnd());
		window.spot = (text) => [...document.querySelectorAll(".xterm-rows span")].findLast((span) => span.textContent.includes(text));`)
}

// shows waits until the screen has a line that begins with this, as they are without
// spaces at their ends.
func (p terminal) shows(line string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`rows().some((row) => (row + " ").startsWith(%s))`, quote(line)))
}

// lacks waits until text is nowhere on the screen.
func (p terminal) lacks(text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`!rows().join("\n").includes(%s)`, quote(text)))
}

// quote writes text as JavaScript does.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

// dispatch presses and lets go of one key, with the text it types.
func (p terminal) dispatch(key input.DispatchKeyEventParams) {
	p.t.Helper()
	down, up := key, key
	down.Type = input.DispatchKeyEventTypeKeyDown
	up.Type, up.Text, up.Commands = input.DispatchKeyEventTypeKeyUp, "", nil
	for _, k := range []input.DispatchKeyEventParams{down, up} {
		if _, err := chromedp.Call(p.Ctx, input.DispatchKeyEvent, k); err != nil {
			p.t.Fatal(err)
		}
	}
}

// types types text, and nothing where a key has been used up.
func (p terminal) types(text string) {
	p.t.Helper()
	for _, char := range text {
		p.dispatch(input.DispatchKeyEventParams{Key: string(char), Text: string(char)})
	}
}

// line types a line and Enter.
func (p terminal) line(text string) {
	p.t.Helper()
	p.types(text)
	p.press("Enter")
}

// press presses a key by its name, or that of a letter.
func (p terminal) press(name string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	key := input.DispatchKeyEventParams{Key: name, Code: name, WindowsVirtualKeyCode: keys[name]}
	if len(name) == 1 {
		key.Code, key.WindowsVirtualKeyCode = "Key"+name, int64(name[0])
	}
	for _, m := range modifiers {
		key.Modifiers |= int64(m)
	}
	p.dispatch(key)
}

// click clicks where the terminal shows text, once or twice.
func (p terminal) click(text string, times int64) {
	p.t.Helper()
	p.point(input.DispatchMouseEventTypeMouseMoved, text, 0)
	for n := int64(1); n <= times; n++ {
		p.point(input.DispatchMouseEventTypeMousePressed, text, n)
		p.point(input.DispatchMouseEventTypeMouseReleased, text, n)
	}
}

// point sends an event of the mouse to the beginning of text in the terminal.
func (p terminal) point(event input.DispatchMouseEventType, text string, count int64) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`spot(%s)`, quote(text)))
	at := eval[[]float64](p.page, fmt.Sprintf(`(() => {
		const span = spot(%[1]s), range = document.createRange(), from = span.textContent.indexOf(%[1]s);
		range.setStart(span.firstChild, from);
		range.setEnd(span.firstChild, from + 1);
		const box = range.getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	})()`, quote(text)))
	mouse := input.DispatchMouseEventParams{Type: event, X: at[0], Y: at[1], ClickCount: count}
	if count > 0 {
		mouse.Button = input.MouseButtonLeft
	}
	if _, err := chromedp.Call(p.Ctx, input.DispatchMouseEvent, mouse); err != nil {
		p.t.Fatal(err)
	}
}

// size waits until the child has the size that the page shows, and returns it.
func (p terminal) size() string {
	p.t.Helper()
	p.line(`clear; echo "it is $(stty size)"`)
	p.Until(`(() => { const [cols, rows] = document.querySelector("#terminal-size").textContent.split("×"); return window.rows().includes("it is " + rows + " " + cols); })()`)
	return eval[string](p.page, `document.querySelector("#terminal-size").textContent`)
}

func TestTerminalShell(t *testing.T) {
	t.Parallel()
	p := onPrompt(t)
	p.line(`x=$((6*7)); echo "größer $x"`)
	p.shows("größer 42")
	p.types("echo wrong")
	p.press("U", chromedp.ModifierCtrl)
	p.line("printf 'a\\tb\\n日本語|\\n'")
	p.shows("a       b")
	p.Until(`rows().some((row) => row === "日本語|")`)
	p.line(`tput bel; printf '\033]0;owned\007'; exit 3`)
	p.shows("[Program ended: exit status 3]")
	p.Until(`!document.querySelector(".xterm-cursor")`)
	if title := eval[string](p.page, "document.title"); title != "/ – wspipe console" {
		t.Errorf("the title is %q", title)
	}
	p.types("x") // goes nowhere
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.shows("> ")
	p.lacks("Program ended") // a new connection has a new screen
	p.line("echo again")
	p.shows("again")
	p.WantNoErrors()
}

func TestTerminalSize(t *testing.T) {
	t.Parallel()
	p := onPrompt(t)
	wide := p.size()
	p.Do(chromedp.EmulateViewport(500, 900))
	p.Until(fmt.Sprintf(`document.querySelector("#terminal-size").textContent !== %q`, wide))
	narrow := p.size()
	larger := func(times int) {
		p.tools(func() {
			for range times {
				p.Do(chromedp.Click(chromedp.ID("font-larger")))
			}
		})
	}
	larger(1)
	p.wantText("#font-size", "15 px")
	p.Do(chromedp.Focus(chromedp.CSS(".xterm-helper-textarea")))
	p.Until(fmt.Sprintf(`document.querySelector("#terminal-size").textContent !== %q`, narrow))
	p.size()
	larger(32 - 15)
	p.wantText("#font-size", "32 px")
	if !eval[bool](p.page, `document.querySelector("#font-larger").disabled`) {
		t.Error("the font can be larger than 32 px")
	}
	p.Do(chromedp.Reload())
	p.ready()
	p.wantText("#font-size", "32 px")
	p.WantNoErrors()
}

// TestTerminalStartsWithItsSize: a program that looks only once finds the size.
func TestTerminalStartsWithItsSize(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `stty size; cat`, "--pty"))
	p.Until(`(() => { const [cols, rows] = document.querySelector("#terminal-size").textContent.split("×"); return window.rows()[0] === rows + " " + cols; })()`)
	p.WantNoErrors()
}

// TestTerminalNarrow: the terminal has room even where the window has little.
func TestTerminalNarrow(t *testing.T) {
	t.Parallel()
	p := onPrompt(t)
	p.Do(chromedp.EmulateViewport(360, 740))
	p.Until(`document.querySelector("#terminal").getBoundingClientRect().right < 360`)
	p.Until(`document.querySelector(".xterm-screen").getBoundingClientRect().right < 360`)
	p.size()
	if width := eval[int](p.page, `document.documentElement.scrollWidth`); width > 360 {
		t.Errorf("the page is %d pixels wide on a screen of 360", width)
	}
	cut := eval[float64](p.page, `document.querySelector("#terminal").getBoundingClientRect().bottom - document.querySelector("main").getBoundingClientRect().bottom`)
	if height := eval[float64](p.page, `document.querySelector("#terminal").clientHeight`); height < 250 || cut > 0 {
		t.Errorf("the terminal is %v pixels high, of which %v are cut off", height, cut)
	}
	p.WantNoErrors()
}

func TestTerminalVim(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "vim")
	file := filepath.Join(t.TempDir(), "file")
	p := onPrompt(t, "--setenv=FILE="+file)
	p.line(`vim -u NONE "$FILE"`)
	p.shows("~")
	p.types("iHello")
	p.press("Escape")
	p.Do(chromedp.EmulateViewport(700, 800))
	p.Until(`rows().length > 5`)
	p.line(`:echo "it has" &lines &columns`)
	p.Until(`(() => { const [cols, rows] = document.querySelector("#terminal-size").textContent.split("×"); return window.rows().at(-1).startsWith("it has " + rows + " " + cols); })()`)
	p.types("A, vim")
	p.press("Escape")
	p.line(":wq")
	p.shows("> ")
	p.lacks("~")
	if text, err := os.ReadFile(file); err != nil || string(text) != "Hello, vim\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
	p.WantNoErrors()
}

func TestTerminalPrograms(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "less")
	wspipetest.Need(t, "htop")
	p := onPrompt(t)
	p.line(`seq 1000 | less`)
	p.shows("1 ")
	p.types("G")
	p.shows("1000")
	p.press("ArrowUp")
	p.Until(`!rows().includes("1000")`)
	p.types("q")
	p.shows("> ")
	p.line("htop")
	p.Until(`rows().some((row) => /^ *PID USER/.test(row)) && rows().at(-1).startsWith("F1Help")`)
	p.click("F10", 1) // mouse reporting
	p.shows("> ")
	p.lacks("F1Help")
	p.WantNoErrors()
}
