package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// axe is the program that finds what keeps people out of a page, as a script. It is installed
// once for all tests.
func axe(t *testing.T) string {
	t.Helper()
	axeScript.Lock()
	defer axeScript.Unlock()
	if axeScript.text == "" {
		dir := t.TempDir()
		wspipetest.NPMInstall(t, dir, "axe-core@4.14.1")
		script, err := os.ReadFile(filepath.Join(dir, "node_modules/axe-core/axe.min.js"))
		if err != nil {
			t.Fatal(err)
		}
		axeScript.text = string(script)
	}
	return axeScript.text
}

var axeScript struct {
	sync.Mutex
	text string
}

// setScheme makes the system's setting light or dark.
func (p *page) setScheme(scheme string) {
	p.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(p.Ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
	p.Until(fmt.Sprintf(`document.documentElement.dataset.theme === %q`, scheme))
}

// wantAccessible fails the test for each element that axe has something against,
// by the rules of WCAG 2.2 AA and good practice.
func (p *page) wantAccessible(where string) {
	p.t.Helper()
	found := eval[[]string](p, `axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then(({ violations, passes }) => [
		...violations.flatMap(({ id, nodes }) => nodes.map((n) => id + ": " + n.html.slice(0, 200) + " " + n.failureSummary)),
		...passes.length < 20 ? ["only " + passes.length + " rules were looked at"] : []])`)
	for _, f := range found {
		p.t.Errorf("%s: %s", where, f)
	}
}

// TestAccessible: axe finds no violation, whatever the page shows, in both
// schemes, of which one is on a wide screen and one on a telephone's.
func TestAccessible(t *testing.T) {
	t.Parallel()
	script := axe(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "talk.sh"), `#!/bin/sh
		head -c 10000 /dev/zero | tr '\0' y; echo
		echo '{"a": [1, true, null, "x"], "b": {}}'
		[ "$QUERY_STRING" ] || printf '\033[2mdim\033[0m\n' # which xterm.js shows at half the contrast
		printf '\033[1;31mred \033[32mgreen \033[33myellow \033[34mblue \033[7minverse\033[0m \033[38;5;17mnavy \033[48;5;226mon yellow\033[0m\n'
		for c in 30 37 90 97; do printf "\033[${c}mcolour $c\033[0m "; done; echo
		printf '\033[38;2;200;200;200mlight\033[38;2;10;10;10mdark\033[0m\n'
		read -r line; exit 3`)
	write(t, filepath.Join(dir, "other.sh"), "#!/bin/sh\ncat")
	server := wspipetest.Start(t, "--devconsole", "--dir="+dir, "--resume=1m", "--subprotocol=chat")
	for scheme, width := range map[string]int64{"light": 1200, "dark": 360} {
		where := func(what string) string { return fmt.Sprintf("%s, %s, %d px", what, scheme, width) }
		p := newPage(t, server, "/")
		p.setScheme(scheme)
		p.Do(chromedp.EmulateViewport(width, 800))
		p.Do(chromedp.Evaluate[chromedp.Void](script))
		p.Until(`document.querySelectorAll("#endpoint-list a").length === 2`)
		p.tools(func() { p.wantAccessible(where("endpoints")) })

		p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1)+"talk.sh"), chromedp.Evaluate[chromedp.Void](script))
		p.Until(`document.querySelector("#facts li")`)
		p.connect()
		p.Until(`document.querySelector("#log").innerText.includes("light")`)
		p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("#log .text > .json > summary").forEach((e) => e.click())`))
		p.wantAccessible(where("messages"))
		p.tools(func() {
			p.activate("find")
			p.fill("filter", "e")
		})
		p.fill("search", "e")
		p.Until(`document.querySelector("#search-count").textContent !== ""`)
		p.wantAccessible(where("found"))
		p.Do(chromedp.Evaluate[chromedp.Void](`filter.value = ""; filter.dispatchEvent(new Event("input"))`))
		p.send("end")
		p.wantStatus("exit status 3")
		p.wantAccessible(where("ended"))

		p.connectTo("/nowhere")
		p.wantStatus("Refused", "404")
		p.wantAccessible(where("refused"))
		if width := eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); width > 0 {
			t.Errorf("%s: the page is %d pixels wider than the screen", where("refused"), width)
		}

		p.tools(func() { p.Do(chromedp.Click(chromedp.ID("terminal-tab"))) })
		p.Until(`document.querySelector(".xterm-screen")`)
		p.connectTo("/talk.sh?bright")
		p.Until(`document.querySelector(".xterm-rows").innerText.includes("light")`)
		p.wantAccessible(where("terminal"))
		if width := eval[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); width > 0 {
			t.Errorf("%s: the page is %d pixels wider than the screen", where("terminal"), width)
		}
	}
}

// write makes a file that can be executed.
func write(t *testing.T, name, text string) {
	t.Helper()
	wspipetest.WriteMode(t, name, text, 0o700)
}

// TestIsSmall: the view of messages comes in less than 100 KB, and with nothing of
// the terminal.
func TestIsSmall(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "echo hi"), "/")
	p.connect()
	p.received("hi")
	const loaded = `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter((e) => !e.name.includes("/endpoint?"))`
	if size := eval[int](p, loaded+`.reduce((sum, e) => sum + e.encodedBodySize, 0)`); size >= 100_000 || size < 10_000 {
		t.Errorf("the page has loaded %d bytes, not under 100 KB", size)
	}
	for _, name := range eval[[]string](p, loaded+`.map((e) => e.name)`) {
		if strings.Contains(name, "vendor") || strings.Contains(name, "terminal") {
			t.Errorf("the page has loaded %s already", name)
		}
	}
	p.WantNoErrors()
}

// TestNothingMoves while the page loads, or whoever clicks meanwhile would miss.
func TestNothingMoves(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "echo hi"), "/")
	moved := eval[[]string](p, `new Promise((done) => {
		const names = (list) => list.flatMap((e) => e.sources.map((s) => (s.node?.outerHTML ?? s.node?.textContent ?? "").slice(0, 80) + JSON.stringify([s.previousRect, s.currentRect])));
		new PerformanceObserver((list) => done(names(list.getEntries()))).observe({ type: "layout-shift", buffered: true });
		requestAnimationFrame(() => requestAnimationFrame(() => done([])));
	})`)
	if len(moved) > 0 {
		t.Errorf("something moved: %q", moved)
	}
}
