package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// TestScreenshots takes the pictures that README shows: `make screenshots` has
// them put where they belong.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	shootMessages(t, filepath.Join(dir, "console-messages.png"))
	shootTerminal(t, filepath.Join(dir, "console-terminal.png"))
}

// shootMessages has a program of a few lines talk, and be talked to.
func shootMessages(t *testing.T, name string) {
	server := shell(t, `
		echo '{"sensor": "boiler", "celsius": 61.5, "ok": true, "alarms": []}'
		printf 'level \033[1;32mgood\033[0m, pressure \033[1;31m2.7 bar\033[0m\n'
		while read -r line; do
			case $line in
			status) echo '{"sensor": "boiler", "celsius": 61.7, "valves": [{"id": 1, "open": true}, {"id": 2, "open": false}]}' ;;
			quit) echo 'good bye'; exit 3 ;;
			*) echo "I do not know \"$line\"" ;;
			esac
		done`, "--resume=1m", "--subprotocol=sensors")
	p := newPage(t, server, "/sensors/boiler?unit=C")
	p.Do(chromedp.EmulateViewport(1200, 720))
	p.connect()
	p.Until(`document.querySelectorAll("#log .in").length === 2`)
	for i, line := range []string{"help", "status", "quit"} {
		p.send(line)
		p.Until(fmt.Sprintf(`document.querySelectorAll("#log .in").length === %d`, 3+i))
	}
	p.wantStatus("exit status 3")
	p.Do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#log .json > summary")].at(-1).click()`))
	p.shoot(name)
	p.WantNoErrors()
}

// shootTerminal shows a recording of an editor, in which nobody types for an hour.
func shootTerminal(t *testing.T, name string) {
	program := filepath.Join(t.TempDir(), "wspipe") // a name for the picture
	if err := os.Symlink(wspipetest.Binary(t), program); err != nil {
		t.Fatal(err)
	}
	server := wspipetest.Start(t, "--devconsole", "--pty", program, "replay", "../docs/vim.cast")
	p := newPage(t, server, "/")
	p.Do(chromedp.EmulateViewport(1200, 720))
	p.setScheme("dark")
	p.Until(`document.querySelector(".xterm-screen")`)
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.querySelector(".xterm-rows").innerText.includes("echo")`)
	p.shoot(name)
	p.WantNoErrors()
}

// shoot writes a picture of what the window shows.
func (p *page) shoot(name string) {
	p.t.Helper()
	picture, err := chromedp.Run(p.Ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
