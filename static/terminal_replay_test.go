//go:build unix

package static_test

import (
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// leaveVim runs vim, which asks its terminal a dozen questions, and ends it.
func (p terminal) leaveVim() {
	p.t.Helper()
	p.line(`vim --clean "$FILE"`)
	p.shows("~")
	p.line(`:echo "replies" "read"`) // which vim does in order
	p.shows("replies read")
	p.line(":q")
	p.shows("> ")
	p.lacks("~")
}

// wantCleanPrompt fails if anything was typed before this.
func (p terminal) wantCleanPrompt() {
	p.t.Helper()
	p.line("echo clean")
	p.shows("clean")
	if !eval[bool](p.page, `rows().includes("> echo clean")`) {
		p.t.Errorf("something was typed at the prompt:\n%s", eval[string](p.page, `rows().join("\n")`))
	}
}

// TestReloadedTerminalMakesNoReply: what the page's terminal gets again it has
// answered before.
func TestReloadedTerminalMakesNoReply(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "vim")
	p := onPrompt(t, "--resume=1m", "--setenv=FILE="+t.TempDir()+"/f")
	p.leaveVim()
	p.Do(chromedp.Reload())
	p.choose()
	p.Until(`document.body.dataset.state === "open" && rows().some((row) => row.includes("vim --clean"))`)
	p.click("vim", 1)
	p.wantCleanPrompt()
	p.WantNoErrors()
}

// TestJoiningTerminalMakesNoReply: nor does that of somebody who joins later.
func TestJoiningTerminalMakesNoReply(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "vim")
	server := bash(t, "--share=broadcast", "--setenv=FILE="+t.TempDir()+"/f")
	first := newTerminal(t, server)
	first.shows("> ")
	first.leaveVim()
	second := newTerminal(t, server)
	second.Until(`rows().some((row) => row.includes("vim --clean"))`)
	second.wantCleanPrompt()
	first.shows("clean")
	first.WantNoErrors()
	second.WantNoErrors()
}

// TestLateTerminalMakesNoReply: nor does a terminal that is opened after its program
// has asked.
func TestLateTerminalMakesNoReply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := `#!/bin/sh
stty -echo; printf 'asked\n\033[c\033]11;?\033\\'; while read -r line; do echo "got <$line>"; done`
	wspipetest.WriteMode(t, filepath.Join(dir, "ask"), script, 0o700)
	p := newPage(t, wspipetest.Start(t, "--devconsole", "--pty", "--dir="+dir), "/")
	p.Do(chromedp.Click(chromedp.ID("messages-tab"))) // which the page leaves to the user then
	p.connectTo("/ask")
	p.Until(`document.querySelector("#log").innerText.includes("]11;?")`)
	late := terminal{p}
	late.choose()
	late.shows("asked")
	late.click("asked", 1)
	late.line("clean")
	late.shows("got <clean>")
	late.WantNoErrors()
}
