package static_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"wspipe/static"
)

// TestLayout: bar and foot have their heights, the log or the terminal gets the rest,
// and nothing is cut off.
func TestLayout(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat", "--share=broadcast"), "/")
	for _, size := range [][2]int64{{1440, 900}, {768, 900}, {360, 740}} {
		p.Do(chromedp.EmulateViewport(size[0], size[1]))
		p.Until(fmt.Sprintf(`document.body.clientWidth === %d && document.body.classList.contains("phone") === %t`, size[0], size[0] < 640))
		got := eval[map[string]float64](p, `(() => {
			const box = (id) => document.getElementById(id).getBoundingClientRect();
			const over = (id) => document.getElementById(id).scrollWidth - document.getElementById(id).clientWidth;
			return { bar: box("bar").height, foot: box("foot").height, log: box("log").height, top: box("log").top, footOver: over("foot"), barOver: Math.max(over("bar"), over("tools"), document.querySelector("#filter").offsetParent ? 60 - document.querySelector("#filter").offsetWidth : 0), page: document.documentElement.scrollWidth };
		})()`)
		isPhone := size[0] == 360
		if got["bar"] != 48 || !isPhone && got["foot"] != 28 {
			t.Errorf("%d px: bar and foot are %v and %v px high", size[0], got["bar"], got["foot"])
		}
		if got["top"] > 100 || isPhone && got["top"] > 50 || got["log"] < float64(size[1])-200 {
			t.Errorf("%d px: the log begins at %v and is %v px high", size[0], got["top"], got["log"])
		}
		if got["footOver"] > 0 || got["barOver"] > 0 || got["page"] > float64(size[0]) {
			t.Errorf("%d px: cut off: %v", size[0], got)
		}
	}
	p.WantNoErrors()
}

// TestControlsLineUp: those beside each other have one height.
func TestControlsLineUp(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.Do(chromedp.EmulateViewport(1440, 900))
	got := eval[[]string](p, `[..."bar tools send".split(" ").flatMap((row) => {
		const all = [...document.querySelectorAll("#" + row + " :is(input, select, textarea, button, summary)")].filter((e) => e.offsetParent && !e.closest(".sheet, .chip"));
		return all.filter((e) => e.offsetHeight !== 32).map((e) => row + ": " + (e.id || e.textContent) + " " + e.offsetHeight);
	})]`)
	if len(got) > 0 {
		t.Errorf("not 32 px high: %v", got)
	}
}

// TestErrorsAreBesideTheirCause: what was not sent is told directly above the composer,
// and moves nothing.
func TestErrorsAreBesideTheirCause(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `read a; echo "got $a"; cat`), "/")
	const height = `document.querySelector("#log").clientHeight`
	before := eval[int](p, height)
	p.Do(chromedp.SendKeys(chromedp.ID("message"), "early"))
	p.enter()
	p.wantText("#note", "Not sent: there is no connection.")
	p.Until(`Math.abs(document.querySelector("#notice").getBoundingClientRect().bottom - document.querySelector("#compose").getBoundingClientRect().top) < 2`)
	if after := eval[int](p, height); after != before {
		t.Errorf("the log's height changed from %d to %d", before, after)
	}
	p.Do(chromedp.Click(chromedp.ID("note-action"))) // Connect and send
	p.received("got early")
	p.wantText("#note", "")
	p.WantNoErrors()
}

// TestForcedColors: what is chosen is seen where the system has its own colours.
func TestForcedColors(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}}
	if _, err := chromedp.Call(p.Ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	// Otherwise the system's colours replace those of the style sheet, for both alike.
	const adjusts = `["messages", "terminal"].map((name) => getComputedStyle(document.getElementById(name + "-tab")).forcedColorAdjust).join()`
	p.Until(adjusts + ` === "none,auto"`)
}

// TestCodeIsNotRed: the program failed, not the connection.
func TestCodeIsNotRed(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "exit 3"), "/")
	p.connect()
	p.wantStatus("exit status 3", "close 1000")
	if color, text := eval[string](p, `getComputedStyle(document.querySelector(".card .code")).color`), eval[string](p, `getComputedStyle(document.body).color`); color != text {
		t.Errorf("the close code is %s, text is %s", color, text)
	}
}

// TestTooOldBrowser shows a sentence, and no blank page.
func TestTooOldBrowser(t *testing.T) {
	t.Parallel()
	server := shell(t, "cat")
	for _, old := range []string{`delete Array.prototype.findLast`, `delete Object.hasOwn; Object.defineProperty(window, "Page", { get() {} }); HTMLElement.prototype.querySelectorAll = Document.prototype.querySelectorAll = null`} {
		p := newPage(t, server, "/")
		if eval[bool](p, `!document.querySelector("#too-old").hidden`) {
			t.Error("this browser is called too old")
		}
		add := cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: old}
		if _, err := chromedp.Call(p.Ctx, cdppage.AddScriptToEvaluateOnNewDocument, add); err != nil {
			t.Fatal(err)
		}
		p.Do(chromedp.Reload())
		p.Until(`document.querySelector("#too-old").offsetHeight > 0 && document.querySelector("#too-old").innerText.includes("Safari 16.4")`)
	}
}

// TestSafari164 finds what Safari got after 16.4, without which the page would be blank.
func TestSafari164(t *testing.T) {
	t.Parallel()
	later := []string{"/v;", "/v,", "/v)", "/v]", "/gv", "/iv", "canParse", "light-dark(", "withResolvers", "popover", "Set.prototype.union", ".toSorted(", "structuredClone", "Array.fromAsync", "groupBy", "checkVisibility", "@starting-style", "fromBase64", "interpolate-size", "anchor-name"}
	err := fs.WalkDir(static.Console, "console", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(static.Console, name)
		for i, line := range strings.Split(string(text), "\n") {
			for _, word := range later {
				if strings.Contains(line, word) && !strings.HasPrefix(strings.TrimSpace(line), "//") {
					t.Errorf("%s:%d has %s", name, i+1, word)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTimes: rows have the time of day, or since the connection began, or since the row
// before; and what has nothing to show is closed.
func TestTimes(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "echo one; cat"), "/")
	p.connect()
	p.received("one")
	const times = `[...document.querySelectorAll("#log time")].map((e) => e.textContent)`
	for way, form := range map[string]string{"start": `^\d+\.\d{3}$`, "between": `^\+\d+\.\d{3}$`, "clock": `^\d\d:\d\d:\d\d\.\d{3}$`} {
		p.choose("time", way)
		p.Until(fmt.Sprintf(`%s.length === 2 && %[1]s.every((text) => new RegExp(%q).test(text))`, times, form))
	}
	if open := eval[[]string](p, `["rail", "inspector", "find-bar", "token", "parameters", "file-panel", "keys", "pane-head"].filter((id) => !document.getElementById(id).hidden)`); len(open) > 0 {
		t.Errorf("shown without need: %v", open)
	}
	p.WantNoErrors()
}
