package static_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// TestHostileOutput: whatever a program writes does nothing but show, to the
// last character, in both ways of showing it.
func TestHostileOutput(t *testing.T) {
	t.Parallel()
	lines := []struct{ output, shown string }{
		{`<script>document.title = "owned"</script>`, ""},
		{`<img src=x onerror="document.title = 'owned'">`, ""},
		{`{"<img src=x onerror=alert(1)>": "</summary><script>alert(1)</script>"}`, ""},
		{"\x1b]0;owned\x07", "‹ESC›]0;owned‹BEL›"},
		{"\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", `‹ESC›]8;;https://example.com‹ESC›\link‹ESC›]8;;‹ESC›\`},
		{"\x1b]52;c;b3duZWQ=\x07", "‹ESC›]52;c;b3duZWQ=‹BEL›"},
		{"\x1b[2J\x1b[H\x1b[?1049h\x1bc", "‹ESC›[2J‹ESC›[H‹ESC›[?1049h‹ESC›c"},
		{"over\rwritten\b\b", "over‹CR›written‹BS›‹BS›"},
		{"a\u202egpj.exe\u202c \u2066b\u2069 \u200e\u200f\u061c", "a‹RLO›gpj.exe‹PDF› ‹LRI›b‹PDI› ‹LRM›‹RLM›‹ALM›"},
		{"x\u200by\u200dz\ufeff\u2028\u2029\u00ad\u2060\u115f\U000e0041", "x‹ZWSP›y‹ZWJ›z‹BOM›‹LS›‹PS›‹SHY›‹WJ›‹U+115F›‹U+E0041›"},
		{"\u009b31m\u0085 \x00\x7f", "‹CSI›31m‹NEL› ‹NUL›‹DEL›"},
		{"bad \xff\xfe\xc3 bytes", "bad \ufffd\ufffd\ufffd bytes"},
	}
	var all strings.Builder
	for _, line := range lines {
		all.WriteString(line.output + "\n")
	}
	p := newPage(t, says(t, all.String()), "/")
	p.connect()
	for _, way := range []string{"formatted", "plain"} {
		p.choose("render", way)
		for _, line := range lines {
			if line.shown == "" {
				line.shown = line.output
			}
			p.received(line.shown)
		}
		if n := eval[int](p, `[...document.querySelectorAll("body img, body script, #log a")].filter((e) => !e.href?.startsWith("https://example.com")).length`); n != 0 {
			t.Errorf("%s, %d elements were made from text", way, n)
		}
	}
	if title := eval[string](p, "document.title"); title != "/ – wspipe console" {
		t.Errorf("the title is %q", title)
	}
	p.WantNoErrors()
}

// TestLine50MB: the page shows the beginning of a very long line, and stays awake.
func TestLine50MB(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "perl")
	p := newPage(t, shell(t, `read go; perl -e 'print "[", "1," x 25000000, "2]\n"'; cat`), "/")
	p.connect()
	eval[bool](p, `(window.longest = 0, window.last = performance.now(), window.tick = () => {
		longest = Math.max(longest, performance.now() - last); last = performance.now(); setTimeout(tick, 10);
	}, tick(), true)`)
	p.send("go")
	p.wantText("#log .in .more", "Show more of 49,996,003 characters")
	p.Do(chromedp.Click(chromedp.CSS("#log .in .more")))
	p.wantText("#log .in .more", "Show more of 49,796,003 characters")
	p.fill("filter", "2]")
	p.wantText("#kept", "1 of 3 entries")
	p.send("awake")
	p.fill("filter", "")
	p.received("awake")
	longest := eval[float64](p, `longest`)
	t.Logf("the page stood still for %.0f ms at most", longest)
	if longest > 30_000 {
		t.Errorf("the page stood still for %.0f ms", longest)
	}
	p.WantNoErrors()
}

// TestColorsCanBeRead: in both schemes, whatever colours a program asks for,
// text has the contrast that WCAG AA wants.
func TestColorsCanBeRead(t *testing.T) {
	t.Parallel()
	var line strings.Builder
	for n := range 256 {
		fmt.Fprintf(&line, "\x1b[38;5;%dmf\x1b[0;48;5;%dmb\x1b[38;5;%dms\x1b[7;2mi\x1b[0m", n, n, n)
	}
	line.WriteString("\x1b[2mdim\x1b[0;7minverse\x1b[0;38:2::255:255:254mrgb\x1b[38;2;24;30;37mrgb")
	p := newPage(t, says(t, line.String()+"\n"), "/")
	p.connect()
	p.Until(`document.querySelector("#log .more")`)
	p.Do(chromedp.Click(chromedp.CSS("#log .more")), chromedp.WaitNotPresent(chromedp.CSS("#log .more")))
	for _, scheme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if _, err := chromedp.Call(p.Ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		p.Until(fmt.Sprintf(`document.documentElement.dataset.theme === "%s"`, scheme))
		poor := eval[[]string](p, `(() => {
			const rgb = (css) => css.match(/[\d.]+/g).slice(0, 3).map(Number);
			const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
			const panel = rgb(getComputedStyle(document.querySelector("main")).backgroundColor);
			return [...document.querySelectorAll("#log .in .text span")].map((e) => {
				const { color, backgroundColor } = getComputedStyle(e);
				const back = backgroundColor === "rgba(0, 0, 0, 0)" ? panel : rgb(backgroundColor);
				const [a, b] = [light(rgb(color)), light(back)];
				const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
				return contrast < 4.5 ? e.textContent + " " + color + " on " + back + ": " + contrast : "";
			}).filter(Boolean);
		})()`)
		if len(poor) > 0 {
			t.Errorf("%s: %d spans cannot be read, such as %q", scheme, len(poor), poor[0])
		}
	}
	if n := eval[int](p, `document.querySelectorAll("#log .in .text span").length`); n != 4*256+4 {
		t.Errorf("%d coloured spans", n)
	}
	p.WantNoErrors()
}
