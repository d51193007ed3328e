//go:build unix

package static_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTerminalLines: a program without a terminal gets lines that can be corrected
// before they go.
func TestTerminalLines(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `printf 'name? '; read a; echo "hi $a"; while read -r b; do echo "got $b"; done; echo END; exit 4`))
	p.shows("name? ")
	p.types("Adx")
	p.press("Backspace")
	p.types("aa")
	p.press("Backspace")
	p.Until(`rows()[0] === "name? Ada"`)
	p.press("Enter")
	p.shows("hi Ada")
	p.types("three wörds here日本")
	p.Until(`rows()[2] === "three wörds here日本"`)
	p.press("W", chromedp.ModifierCtrl)
	p.Until(`rows()[2] === "three wörds"`)
	for range 6 {
		p.press("ArrowLeft")
	}
	p.types("no ")
	p.press("Home")
	p.press("Delete")
	p.press("End")
	p.press("ArrowRight") // there is nothing
	p.line("!")
	p.shows("got hree no wörds !")
	p.press("ArrowUp")
	p.press("ArrowUp")
	p.press("ArrowUp") // there is nothing older
	p.Until(`rows()[4] === "Ada"`)
	p.press("ArrowDown")
	p.Until(`rows()[4] === "hree no wörds !"`)
	p.press("U", chromedp.ModifierCtrl)
	p.Until(`rows()[4] === ""`)
	p.line("")
	p.shows("got ")
	p.press("D", chromedp.ModifierCtrl)
	p.shows("END")
	p.shows("[Program ended: exit status 4]")
	p.WantNoErrors()
}

// TestTerminalLongLine: a line of several rows is edited as others are.
func TestTerminalLongLine(t *testing.T) {
	t.Parallel()
	p := newTerminal(t, shell(t, `echo; echo; printf '> '; cat`))
	p.shows("> ")
	cols := eval[int](p.page, `parseInt(document.querySelector("#terminal-size").textContent)`)
	p.types(strings.Repeat("x", cols-2)) // to the very edge
	p.press("Home")
	p.types("<")
	p.press("End")
	p.types(">日")
	p.Until(`rows()[2] === "> <" + "x".repeat(` + strconv.Itoa(cols-3) + `) && rows()[3] === "x>日" && rows()[4] === ""`)
	for range 4 {
		p.press("Backspace")
	}
	p.Until(`rows()[2] === "> <" + "x".repeat(` + strconv.Itoa(cols-4) + `) && rows()[3] === ""`)
	p.press("U", chromedp.ModifierCtrl)
	p.line("short")
	p.Until(`rows()[2] === "> short" && rows()[3] === "short"`)
	p.WantNoErrors()
}

// TestTerminalOutputAndInput: output that comes while a line is typed stands above
// it, also if the window changes.
func TestTerminalOutputAndInput(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newTerminal(t, shell(t, `cat "$FIFO" & printf 'prompt: '; read a; echo "got $a"; exec cat`, "--setenv=FIFO="+fifo))
	out, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.shows("prompt:")
	p.types("half")
	p.press("ArrowLeft")
	p.Until(`rows()[0] === "prompt: half"`)
	if _, err := out.WriteString("news\nmore news\n"); err != nil {
		t.Fatal(err)
	}
	p.Until(`rows()[0] === "prompt: news" && rows()[1] === "more news" && rows()[2] === "half"`)
	p.types(strings.Repeat("l", 60))
	typed := "ha" + strings.Repeat("l", 61) + "f"
	p.Until(`rows()[2] === "` + typed + `"`)
	p.Do(chromedp.EmulateViewport(400, 700))
	p.Until(`rows()[2] !== "` + typed + `" && rows()[2] + rows()[3] === "` + typed + `" && !rows()[4]`)
	p.Do(chromedp.EmulateViewport(800, 700))
	p.Until(`rows()[1] === "more news" && rows()[2] === "` + typed + `" && !rows()[3]`)
	p.press("Enter")
	p.shows("got " + typed)
	p.press("C", chromedp.ModifierCtrl)
	p.shows("[Program ended by signal INT]")
	p.WantNoErrors()
}

// TestTerminalPlainLines: without channels each message is a line.
func TestTerminalPlainLines(t *testing.T) {
	t.Parallel()
	p := terminal{newPage(t, shell(t, `echo one; echo two; while read -r x; do echo "got $x"; done`), "/")}
	p.plain()
	p.Do(chromedp.Click(chromedp.ID("messages-tab")), chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.querySelector("#received").innerText.startsWith("2 messages")`)
	p.choose()
	p.Until(`rows()[0] === "one" && rows()[1] === "two"`)
	p.Do(chromedp.Click(chromedp.CSS(".xterm-screen")))
	p.types("thrxx")
	p.press("Backspace")
	p.press("Backspace")
	p.line("ee")
	p.Until(`rows()[2] === "three" && rows()[3] === "got three"`)
	p.press("C", chromedp.ModifierCtrl)
	p.wantText("#note", "Not interrupted: only the subprotocol v1.wspipe carries signals.")
	p.press("D", chromedp.ModifierCtrl)
	p.wantText("#note", "The input goes on: only the subprotocol v1.wspipe carries its end.")
	p.WantNoErrors()
}
