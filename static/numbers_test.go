package static_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// counting prints a number each millisecond.
const counting = `import sys, time
start = time.monotonic()
for i in range(int(sys.argv[1])):
    print(i, flush=True)
    time.sleep(max(0, start + i / 1000 - time.monotonic()))
`

// newNumbersPage opens testdata/numbers.html, where a child prints n numbers in
// as many milliseconds, over a relay.
func newNumbersPage(t *testing.T, n int) (*page, *relay) {
	t.Helper()
	server := wspipetest.Start(t, "--staticdir=testdata", "--resume=1m", wspipetest.Need(t, "python3"), "-c", counting, fmt.Sprint(n))
	r := newRelay(t, server)
	p := &page{wspipetest.NewPage(t), t}
	p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + "numbers.html?ws=" + url.QueryEscape(r.WS)))
	return p, r
}

// wantNumbers waits for the child's end, and wants every number once, in order.
func (p *page) wantNumbers(n int) {
	p.t.Helper()
	p.Until(`end !== ""`)
	if end := eval[string](p, `end`); end != "1000 exit 0" {
		p.t.Errorf("the end is %s", end)
	}
	if got := eval[int](p, `numbers.length`); got != n {
		p.t.Errorf("%d numbers, want %d", got, n)
	}
	if wrong := eval[int](p, `numbers.findIndex((number, i) => number !== i)`); wrong >= 0 {
		p.t.Errorf("where %d should be the page has %v", wrong, eval[[]float64](p, fmt.Sprintf(`numbers.slice(%d, %d)`, max(0, wrong-2), wrong+3)))
	}
}

// TestEveryNumberOverCuts: for a minute the network fails in every way.
func TestEveryNumberOverCuts(t *testing.T) {
	t.Parallel()
	n := 60_000
	if testing.Short() {
		n = 10_000
	}
	p, r := newNumbersPage(t, n)
	cuts := 0
	for at := 1000; at < n-5000; at += 4000 {
		p.Until(fmt.Sprintf(`numbers.length >= %d`, at))
		switch cuts % 3 {
		case 0: // forgotten: what was underway is lost
			r.cut()
		case 1: // down, until the client has tried in vain
			tried := r.count()
			r.refuse(true)
			r.await(tried + 2)
			r.refuse(false)
		case 2: // silent, until the browser says that it is offline
			release := r.stall()
			p.run(`dispatchEvent(new Event("offline"))`)
			release()
			p.run(`dispatchEvent(new Event("online"))`)
		}
		cuts++
		p.Until(fmt.Sprintf(`resumes === %d`, cuts))
	}
	p.wantNumbers(n)
	if got := eval[int](p, `cuts`); got < cuts {
		t.Errorf("the client noticed %d cuts of %d", got, cuts)
	}
}

// TestEveryNumberOverReloads: the page keeps what it has, and goes on after it.
func TestEveryNumberOverReloads(t *testing.T) {
	t.Parallel()
	const n = 12_000
	p, r := newNumbersPage(t, n)
	for load := range 3 {
		p.Until(fmt.Sprintf(`loads === %d && numbers.length > %d`, load, 1000+load*3000))
		p.Do(chromedp.Reload())
		if load == 1 { // also when the new page loses its connection
			p.Until(`loads === 2 && numbers.length > had + 100`)
			r.cut()
			p.Until(`resumes === 1`)
		}
	}
	p.wantNumbers(n)
	if loads := eval[int](p, `loads`); loads != 3 {
		t.Errorf("the page was loaded again %d times", loads)
	}
}
