package static_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// flood is a child that waits for a line, then writes 200,000 lines, in a second or as fast
// as they are taken, waits for another, and says how many these were.
const flood = `exec perl -e '
	use Time::HiRes qw(time sleep);
	<STDIN>;
	for ($begun = time; $n < 200_000; sleep 0.001) {
		$passed = time - $begun;
		$due = $n + 5000; # at a time, or it would go on when it is held up
		$due = 200_000 * $passed if $due > 200_000 * $passed;
		print "line ", ++$n, " of a flood, in some fifty bytes\n" while $n < $due;
	}
	<STDIN>;
	print {$ENV{WEBSOCKET_PROTOCOL} ? *STDERR : *STDOUT} "in all $n\n"'`

// TestFlood has a child flood the page while a button is clicked: the page
// answers, keeps the newest entries, counts the others exactly, and has few rows
// and little memory throughout. Chromium takes some 40,000 messages a second, so
// lines hold the child up; channels carry many lines in a message.
func TestFlood(t *testing.T) {
	wspipetest.Need(t, "perl")
	for _, subprotocol := range []string{"", "v1.wspipe"} {
		p := newPage(t, shell(t, flood), "/")
		if subprotocol != "" {
			p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), subprotocol))
		}
		p.connect()
		tab := p.countClicks()
		p.Do(chromedp.SendKeys(chromedp.ID("message"), "go"))
		p.enter()
		p.Until(`document.querySelector("#log .in")`)
		p.clickOften(tab)
		p.send("end")
		p.wantStatus("exit status 0")
		p.Until(`window.all = document.querySelector("#log").innerText.match(/\bin all (\d+)/)?.[1]`)
		n := eval[int](p, `Number(all)`)
		rows := eval[int](p, `rows`)
		if rows >= 1000 {
			t.Errorf("%d rows at a time, want less than 1000", rows)
		}
		p.Until(`log.scrollHeight - log.clientHeight - log.scrollTop < 2`)
		if subprotocol == "" {
			// What the line "in all" does not count: itself, "go", "end", connecting and closing.
			p.Until(fmt.Sprintf(`kept.textContent === "10,000 entries · " + (%d).toLocaleString("en") + " older dropped"`, n+5-10_000))
		}

		clicks := eval[int](p, `clicks`)
		if clicks != 20 {
			t.Errorf("of 20 clicks %d were answered", clicks)
		}
		heap := p.heap()
		if heap > 96<<20 { // 64 MiB of them payload, at most
			t.Errorf("the page holds %.0f bytes, over 96 MiB", heap)
		}
		t.Logf("%q: %d lines; %d clicks; %d rows; heap %.1f MiB", subprotocol, n, clicks, rows, heap/(1<<20))
		p.WantNoErrors()
	}
}

// countClicks has the page count: clicks are those on the tab that is shown, while
// the connection is open, rows the most rows at a click. It returns where the tab is.
func (p *page) countClicks() (tab [2]float64) {
	p.t.Helper()
	return eval[[2]float64](p, `(() => {
		window.clicks = window.rows = 0;
		document.querySelector("#messages-tab").addEventListener("click", () => {
			if (document.body.dataset.state !== "open") return;
			clicks++;
			rows = Math.max(rows, document.querySelectorAll("#log .row").length);
		});
		const { x, y, width, height } = document.querySelector("#messages-tab").getBoundingClientRect();
		return [x + width / 2, y + height / 2];
	})()`)
}

// clickOften clicks on the tab that is shown, while the flood lasts at first. The page is
// asked nothing meanwhile: that would wait for messages that came before, and the clicks
// for it.
func (p *page) clickOften(tab [2]float64) {
	p.t.Helper()
	for range 20 {
		for _, event := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			mouse := input.DispatchMouseEventParams{Type: event, X: tab[0], Y: tab[1], Button: input.MouseButtonLeft, ClickCount: 1}
			if _, err := chromedp.Call(p.Ctx, input.DispatchMouseEvent, mouse); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// heap is how many bytes the page's script holds.
func (p *page) heap() float64 {
	p.t.Helper()
	if _, err := chromedp.Call(p.Ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
	heap, err := chromedp.Call(p.Ctx, runtime.GetHeapUsage, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	return heap.UsedSize + heap.BackingStorageSize
}
