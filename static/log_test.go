package static_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"wspipe/cmd/wspipetest"
)

// says serves a program that writes lines and then reads to its end.
func says(t *testing.T, lines string, flags ...string) *wspipetest.Server {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(name, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return shell(t, "cat '"+name+"'; exec cat", flags...)
}

// fill types into a field, in place of what is there.
func (p *page) fill(id, text string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const field = document.getElementById(%q); field.value = ""; field.dispatchEvent(new Event("input")) })()`, id)))
	p.Do(chromedp.SendKeys(chromedp.ID(id), text))
}

// rows returns the texts of the rows that exist.
func (p *page) rows() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("#log .row .text")].map((e) => e.textContent)`)
}

// numbers returns lines "n 1" to "n last".
func numbers(last int) string {
	var b strings.Builder
	for i := range last {
		fmt.Fprintf(&b, "n %d\n", i+1)
	}
	return b.String()
}

func TestScrollWithKeys(t *testing.T) { // not parallel: it needs the focus of the browser
	p := newPage(t, says(t, numbers(5000)), "/")
	p.connect()
	p.received("n 5000")
	p.Do(chromedp.Focus(chromedp.ID("log")), chromedp.KeyEvent(kb.Home))
	p.received("n 1")
	p.Until(`log.scrollTop === 0 && !jump.hidden`)
	p.Until(`document.querySelectorAll("#log .row").length < 1000`)
	eval[bool](p, `(log.addEventListener("scrollend", () => { window.rested = true }), true)`)
	p.Do(chromedp.KeyEvent(kb.PageDown))
	p.Until(`log.scrollTop > 100 && window.rested`)
	p.Do(chromedp.KeyEvent(kb.End))
	p.received("n 5000")
	p.Until(`log.scrollHeight - log.clientHeight - log.scrollTop < 2 && jump.hidden`)
	p.Until(`document.querySelectorAll("#log .row").length < 1000`)
	// Page by page upwards, every line is seen, in order.
	eval[bool](p, `(window.seen = new Set(), window.note = () => {
		const { top, bottom } = log.getBoundingClientRect();
		for (const row of document.querySelectorAll("#log .row")) {
			const at = row.getBoundingClientRect();
			if (at.bottom > top && at.top < bottom) seen.add(row.lastElementChild.textContent);
		}
		requestAnimationFrame(note);
	}, note(), true)`)
	for range 9 {
		at := eval[float64](p, `log.scrollTop`)
		p.Do(chromedp.KeyEvent(kb.PageUp))
		p.Until(fmt.Sprintf(`log.scrollTop < %v - 20`, at))
	}
	if n := eval[int](p, `(() => { let n = 5000; while (seen.has("n " + n)) n--; return 5000 - n })()`); n < 12 {
		t.Errorf("only %d lines were seen on the way up", n)
	}
	p.WantNoErrors()
}

func TestJSONUnfolds(t *testing.T) {
	t.Parallel()
	const line = `{"n":12345678901234567890,"x":1e400,"deep":{"list":[1,[2,{}]]},"n":"tw\"ice: {"}`
	long := "[" + strings.Repeat("0,", 4249) + "7]"
	p := newPage(t, says(t, line+"\n"+long+"\n{not json}\n"), "/")
	p.connect()
	p.received(line)
	p.received("{not json}")
	if n := eval[int](p, `document.querySelectorAll("#log details").length`); n != 2 {
		t.Errorf("%d lines are taken for JSON, want 2", n)
	}
	// With the keyboard alone.
	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#log summary").focus()`))
	p.enter()
	p.Until(`document.querySelector("#log details").open`)
	got := eval[string](p, `document.querySelector("#log details").innerText`)
	want := []string{"{", `"n":12345678901234567890`, `"x":1e400`, `"deep":{`, `"list":[`, "1", "[", "2", "{", "}", "]", "]", "}", `"n":"tw\"ice: {"`, "}"}
	if !slices.Equal(strings.Fields(got), strings.Fields(strings.Join(want, " ")+" ")) {
		t.Errorf("unfolded, it reads %q", got)
	}
	p.Do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#log details .tree summary")].find((e) => e.textContent.includes("deep")).click()`))
	p.Until(`!document.querySelector("#log details").innerText.includes("list\":[\n")`)

	p.Do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#log .row > .text > details > summary")].at(-1).click()`))
	p.wantText("#log .tree .more", "100 more")
	p.Do(chromedp.Click(chromedp.CSS("#log .tree .more")))
	p.Until(`[...document.querySelectorAll("#log .row > .text > details")].at(-1).querySelectorAll(".leaf").length === 200`)
	for range 42 {
		p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#log .tree .more")?.click()`))
	}
	p.Until(`!document.querySelector("#log .tree .more") && [...document.querySelectorAll("#log .tree .leaf")].at(-1).textContent === "7"`)
	p.WantNoErrors()
}

func TestFilter(t *testing.T) {
	t.Parallel()
	p := newPage(t, says(t, numbers(2000)+"Straße\nSTOP\nstop\n"), "/")
	p.connect()
	p.received("stop")
	for _, test := range []struct {
		query, kept string
		want        []string
	}{
		{"stop", "2 of 2,004 entries", []string{"STOP", "stop"}},
		{"STOP", "1 of 2,004 entries", []string{"STOP"}},
		{"STRASSE", "0 of 2,004 entries", nil},
		{"/^n 1?77$/", "2 of 2,004 entries", []string{"n 77", "n 177"}},
		{"-n", "3 of 2,004 entries", []string{"Straße", "STOP", "stop"}}, // which connecting has
		{"n 199 -0 -/[1-8]$/", "2 of 2,004 entries", []string{"n 199", "n 1999"}},
		{"n 199", "11 of 2,004 entries", []string{"n 199", "n 1990", "n 1991", "n 1992", "n 1993", "n 1994", "n 1995", "n 1996", "n 1997", "n 1998", "n 1999"}},
	} {
		p.fill("filter", test.query)
		p.wantText("#kept", test.kept)
		p.Until(fmt.Sprintf(`[...document.querySelectorAll("#log .row .text")].map((e) => e.textContent).join("|") === %q`, strings.Join(test.want, "|")))
	}
	p.fill("filter", "/(/")
	p.Until(`filter.ariaInvalid === "true" && document.querySelector("#note").textContent.includes("regular expression")`)
	p.fill("filter", "more")
	p.Until(`filter.ariaInvalid !== "true" && document.querySelector("#note").textContent === ""`)
	p.send("nothing")
	p.send("more of it")
	p.received("more of it")
	p.wantText("#kept", "2 of 2,008 entries")
	p.show("out")
	p.wantText("#kept", "1 of 2,008 entries")
	p.fill("filter", "")
	p.wantText("#kept", "2 of 2,008 entries")
	if got := p.rows(); !slices.Equal(got, []string{"nothing", "more of it"}) {
		t.Errorf("sent were %q", got)
	}
	p.show("event")
	p.wantText("#kept", "1 of 2,008 entries")
	p.show("")
	p.wantText("#kept", "2,008 entries")
	p.WantNoErrors()
}

func TestSearch(t *testing.T) {
	t.Parallel()
	p := newPage(t, says(t, numbers(3000)+"\x1b[1man\x1b[0md 77\n"), "/")
	p.connect()
	p.received("and 77")
	p.Do(chromedp.Focus(chromedp.ID("log")), chromedp.KeyEvent("/"))
	p.Until(`document.activeElement.id === "search"`)
	p.fill("search", "n 77")
	p.wantText("#search-count", "11 found")
	p.enter() // nothing at or below the top of what is seen: from the first again
	p.wantText("#search-count", "1 of 11")
	current := `document.querySelector("#log .current .text").textContent`
	inSight := `(() => { const row = document.querySelector("#log .current").getBoundingClientRect(), frame = log.getBoundingClientRect(); return row.top >= frame.top && row.bottom <= frame.bottom })()`
	p.Until(current + ` === "n 77" && ` + inSight)
	p.enter()
	p.Until(current + ` === "n 770" && ` + inSight)
	p.enter(chromedp.ModifierShift)
	p.enter(chromedp.ModifierShift)
	p.wantText("#search-count", "11 of 11")
	p.Until(current + ` === "n 779" && ` + inSight)
	p.Do(chromedp.Click(chromedp.ID("search-next")))
	p.wantText("#search-count", "1 of 11")
	p.Do(chromedp.Click(chromedp.ID("search-previous")))
	p.wantText("#search-count", "11 of 11")
	// All in rows that exist are marked.
	p.Until(`CSS.highlights.get("found").size === document.querySelectorAll("#log .found").length && document.querySelectorAll("#log .found").length === 10`)
	// A match may go over changes of colour.
	p.fill("search", "and 77")
	p.wantText("#search-count", "none found") // there are escape sequences in it
	p.fill("search", "/d 77/")
	p.wantText("#search-count", "1 found")
	p.send("and 77")
	p.wantText("#search-count", "3 found")
	p.show("in")
	p.wantText("#search-count", "2 found")
	p.WantNoErrors()
}

func TestPlainIsKept(t *testing.T) {
	t.Parallel()
	p := newPage(t, says(t, "\x1b[31mred\n{\"a\":1}\n"), "/")
	p.connect()
	p.received("red")
	if color := eval[string](p, `getComputedStyle(document.querySelector("#log .in span span")).color`); color != "rgb(192, 48, 48)" {
		t.Errorf("red is %s", color)
	}
	p.choose("render", "plain")
	p.received("‹ESC›[31mred")
	p.received(`{"a":1}`)
	if n := eval[int](p, `document.querySelectorAll("#log .text *").length`); n != 0 {
		t.Errorf("plain texts hold %d elements", n)
	}
	p.Do(chromedp.Reload())
	p.ready()
	p.Until(`document.querySelector("#render").value === "plain"`)
	p.connect()
	p.received("‹ESC›[31mred")
	p.WantNoErrors()
}

func TestHexDump(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `head -c 600 /dev/zero; head -c 2 >/dev/null; printf '\037 ~\177\377A'; cat`, "--binary"), "/")
	p.Do(chromedp.EmulateViewport(1200, 800))
	p.connect()
	line := func(at int) string {
		return fmt.Sprintf("%04x  %s  %s", at, strings.TrimSpace(strings.Repeat("00 ", 16)), strings.Repeat(".", 16))
	}
	var lines []string
	for at := 0; at < 256; at += 16 {
		lines = append(lines, line(at))
	}
	p.received(strings.Join(lines, "\n") + "Show more of 344 bytes")
	p.Do(chromedp.Click(chromedp.CSS(".more")), chromedp.WaitNotPresent(chromedp.CSS(".more")))
	p.Until(`document.querySelector("#log .hex .text").textContent.split("\n").length === 38`)
	p.Do(chromedp.EmulateViewport(500, 800))
	p.Until(`document.querySelector("#log .hex .text").textContent.startsWith("0000  00 00 00 00 00 00 00 00  ........\n0008")`)
	p.send("go")
	p.received("0000  1f 20 7e 7f ff 41        . ~..A")
	p.tools(func() { p.choose("render", "plain") })
	p.received(strings.Repeat("‹NUL›", 600))
	p.WantNoErrors()
}

func TestLogOfChannels(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `printf 'out'; printf 'err' >&2; cat`), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"))
	p.connect()
	p.received("out")
	p.received("err")
	for name, text := range map[string]string{"stdout": "out", "stderr": "err"} {
		p.Until(fmt.Sprintf(`[...document.querySelectorAll('#log [data-tag="%s"]')].some((e) => e.textContent === %q)`, name, text))
	}
	p.Until(`[...document.querySelectorAll("#log .stderr .text")].map((e) => e.textContent).join("") === "err"`)
	p.WantNoErrors()
}

func TestPauseInFlood(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `seq 1 100; read go; seq 1 30000; read more; echo last`), "/")
	p.connect()
	p.received("100")
	p.Do(chromedp.Click(chromedp.ID("pause")))
	p.send("go")
	// Connecting and what was sent are entries too.
	p.wantText("#kept", "10,000 entries · 20,102 older dropped · held, 30,001 new")
	if rows := p.rows(); rows[len(rows)-1] != "100" {
		t.Errorf("the paused log has come to %q", rows[len(rows)-1])
	}
	p.fill("filter", "/^9.$/") // what is shown can still be looked through
	p.wantText("#kept", "10 of 101 entries · 20,102 older dropped · held, 30,001 new")
	p.fill("filter", "")
	p.activate("clear")
	p.Until(`!document.querySelector("#empty").hidden`)
	p.send("more")
	p.Until(`received.innerText.startsWith("30,101 messages")`)
	p.Until(`kept.innerText.includes("held,") && !document.querySelector("#log .row")`)
	p.Do(chromedp.Click(chromedp.ID("pause")))
	p.received("last")
	p.WantNoErrors()
}

// saved presses a button and returns the name and content of what it downloads.
func (p *page) saved(button string) (name, content string) {
	p.t.Helper()
	eval[bool](p, `(window.file = null, URL.createObjectURL = (blob) => { window.file = blob.text(); return "about:blank#" }, HTMLAnchorElement.prototype.click = function () { window.fileName = this.download }, true)`)
	p.activate(button)
	p.Until(`window.file`)
	return eval[string](p, `fileName`), eval[string](p, `file`)
}

func TestSave(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `printf 'gr\303\274n \033[1m'; head -c 2 >/dev/null; printf '\377\000'; exec cat >/dev/null`, "--binary"), "/")
	p.connect()
	p.received("grün ")
	p.send("go")
	p.Until(`document.querySelector("#log .hex")`)
	name, text := p.saved("save-text")
	if !strings.HasPrefix(name, "wspipe-20") || !strings.HasSuffix(name, ".txt") || len(name) != len("wspipe-2026-11-23T08-02-45.txt") {
		t.Errorf("the text is saved as %q", name)
	}
	p.wantText("#note", "Saved 4 entries.")
	for _, want := range []string{" < grün ‹ESC›[1m\n", " > go\n", " < [2 bytes] ff 00\n", " * connected to "} {
		if !strings.Contains(text, want) {
			t.Errorf("the text %q has no %q", text, want)
		}
	}
	p.show("in")
	name, text = p.saved("save-ndjson")
	if !strings.HasSuffix(name, ".ndjson") {
		t.Errorf("NDJSON is saved as %q", name)
	}
	want := []string{base64.StdEncoding.EncodeToString([]byte("grün \x1b[1m")), "/wA="}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		var entry struct {
			Time, Direction, Base64 string
			Size                    int
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Base64 != want[i] || entry.Direction != "in" || len(entry.Time) != 24 {
			t.Errorf("line %d is %s", i, line)
		}
	}
	// A long payload is written in pieces.
	long := eval[string](p, `import("/.wspipe/console/log/export.js").then(({ ndjson }) =>
		[...ndjson({ kind: "in", at: 0, size: 60001, channel: "", data: Uint8Array.from({ length: 60001 }, (_, i) => i).buffer })].join(""))`)
	var entry struct{ Base64 []byte }
	if err := json.Unmarshal([]byte(long), &entry); err != nil || len(entry.Base64) != 60001 || entry.Base64[60000] != 60000&0xff {
		t.Errorf("of 60001 bytes %d are saved: %v", len(entry.Base64), err)
	}
	p.WantNoErrors()
}

// TestTail: lines of a log have the colour of their level, and addresses are links.
func TestTail(t *testing.T) {
	t.Parallel()
	p := newPage(t, says(t, "2026-11-29 ERROR disk\n[WARN] hot\n{\"level\":\"debug\",\"a\":1}\ntime=1 level=error msg=x\nwarning: old\nno error here\nsee https://example.com/a?b=c. ok\n"), "/")
	p.connect()
	p.received("no error here")
	if got := eval[string](p, `[...document.querySelectorAll("#log .in")].map((row) => row.dataset.level ?? "-").join()`); got != "error,warn,debug,error,warn,-,-" {
		t.Errorf("the levels are %s", got)
	}
	if got := eval[string](p, `(({ href, textContent, rel, target }) => [href, textContent, rel, target].join(" "))(document.querySelector("#log a"))`); got != "https://example.com/a?b=c https://example.com/a?b=c noreferrer noopener _blank" {
		t.Errorf("the link is %s", got)
	}
	p.WantNoErrors()
}

// TestLogPauses: while more comes than the page can show, here one that draws nothing at first,
// the server is asked to pause, and nothing is lost.
func TestLogPauses(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `seq 1 2000000; read -r _; echo end`), "/")
	eval[bool](p, `(() => {
		window.asked = [];
		const frame = requestAnimationFrame;
		window.requestAnimationFrame = (draw) => asked.length ? frame(draw) : setTimeout(requestAnimationFrame, 50, draw);
		const { send } = WebSocket.prototype;
		WebSocket.prototype.send = function (data) {
			if (new Uint8Array(data)[0] === 5) asked.push(JSON.parse(new TextDecoder().decode(data.slice(1))).type);
			send.call(this, data);
		};
		return true;
	})()`)
	p.connect()
	p.received("2000000")
	p.Until(`received.textContent.startsWith("2,000,000 messages")`)
	p.Until(`asked.length > 1 && asked.every((type, i) => type === (i % 2 ? "continue" : "pause")) && asked.at(-1) === "continue"`)
	p.send("go")
	p.received("end")
	p.WantNoErrors()
}
