package static_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// clickText clicks on the button with this text.
func (p *page) clickText(text string) {
	p.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("button")].find((b) => b.textContent === %q)`, text)
	p.Until(find)
	p.Do(chromedp.Evaluate[chromedp.Void](find + `.click()`))
}

// saveMessage puts text into the message box and saves it.
func (p *page) saveMessage(text string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("#message").value = %q`, text)), chromedp.Click(chromedp.ID("save-message")))
	p.wantNote("aved") // or why it is not
}

// TestSavedMessages are in the rail, also after a reload and in a file; scripts send, wait
// and delay.
func TestSavedMessages(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `while read -r line; do echo "got $line"; [ "$line" = b ] && { echo ready; echo ready; }; done`), "/")
	p.Do(chromedp.EmulateViewport(1440, 900))
	p.saveMessage("hello\nworld")
	p.saveMessage("script twice\nsend a\nwait for got a\nsend b\nwait for ready\nwait for ready\ndelay 10 ms\nsend c")
	p.saveMessage("script wrong\njump")
	p.wantNote("“jump” is no step")
	p.Do(chromedp.Reload())
	p.ready()
	p.clickText("▶ twice")
	p.wantNote("twice stopped: there is no connection.")
	p.clickText("hello")
	p.Until(`document.querySelector("#message").value === "hello\nworld"`)
	p.connect()
	p.clickText("▶ twice")
	p.received("got c")
	p.wantNote("twice is done.")
	if got := eval[string](p, `[...document.querySelectorAll("#log .out .text, #log .in .text")].map((e) => e.textContent).join()`); got != "a,got a,b,got b,ready,ready,c,got c" {
		t.Errorf("the script did %s", got)
	}
	p.Do(chromedp.Evaluate[chromedp.Void](axe(t)))
	p.wantAccessible("saved messages")

	_, content := p.saved("saved-export")
	var texts []string
	if err := json.Unmarshal([]byte(content), &texts); err != nil || len(texts) != 2 {
		t.Fatalf("exported %q, %v", content, err)
	}
	for range texts {
		p.Do(chromedp.Click(chromedp.CSS("#saved-list li:first-child button:last-child")))
	}
	p.Until(`document.querySelector("#rail").hidden`)
	file := filepath.Join(t.TempDir(), "messages.json")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Do(chromedp.SetUploadFiles(chromedp.ID("saved-file"), []string{file}))
	p.Until(`document.querySelectorAll("#saved-list li").length === 2`)
	p.WantNoErrors()
}

// TestAddressFollows: the browser's address is the endpoint's, so that back and reload
// work, and neither connects.
func TestAddressFollows(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `echo "$REQUEST_URI"; cat`), "/one?a=1")
	p.connectTo("/two?b=2")
	p.received("/two?b=2")
	p.Until(`location.pathname + location.search === "/two?b=2"`)
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.wantStatus("Disconnected")
	p.Do(chromedp.Reload())
	p.ready()
	if address := eval[string](p, `address.value`); address[len(address)-8:] != "/two?b=2" {
		t.Errorf("after a reload the address is %s", address)
	}
	p.Do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	p.Until(`location.pathname === "/one" && address.value.endsWith("/one?a=1")`)
	p.ready()
	if n := eval[int](p, `document.querySelectorAll("#log .row").length`); n != 0 {
		t.Errorf("%d entries, so the page has connected", n)
	}
	p.WantNoErrors()
}
