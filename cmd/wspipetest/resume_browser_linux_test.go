package wspipetest_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// numbersPage is static/testdata/numbers.html in a browser, with the server of
// page and program on the far side of a network. To the browser that is no
// loopback address, so there are no Web Locks; and its host has other networks, so
// it says neither offline nor online.
type numbersPage struct {
	farServer
	*wspipetest.Page
	n int // how many numbers the child prints, and another one that it gets
}

// newNumbersPage opens the page, where a child prints the numbers up to n.
func newNumbersPage(t *testing.T, network *network, n int, child ...string) *numbersPage {
	t.Helper()
	server := serveResumable(t, network, append([]string{"--staticdir=../../static/testdata"}, child...)...)
	p := &numbersPage{farServer{network, t, server}, wspipetest.NewPage(t), n}
	p.load(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + "numbers.html?ws=/"))
	return p
}

// load loads the page and waits until it gets numbers. Chromium drops what it is
// just loading when another test makes a network (ERR_NETWORK_CHANGED).
func (p *numbersPage) load(how chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for {
		err := chromedp.Do(p.Ctx, how)
		if err != nil && !strings.Contains(err.Error(), "ERR_NETWORK_CHANGED") {
			p.t.Fatal(err)
		}
		if err != nil || !wspipetest.Eval[bool](p.Page, `"numbers" in window`) {
			continue
		}
		p.Until(`end !== "" || numbers.length > had`)
		if wspipetest.Eval[string](p.Page, `end`) != "1006 " { // of its first handshake
			return
		}
	}
}

// had waits until the page has this part of the numbers.
func (p *numbersPage) had(part float64) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`numbers.length >= %f`, part*float64(p.n)))
}

// reload loads the page again, which goes on with the session.
func (p *numbersPage) reload() {
	p.t.Helper()
	p.load(chromedp.Reload())
}

// end lets the child end, with one number more, and wants every number once, in
// order.
func (p *numbersPage) end() {
	p.t.Helper()
	p.had(1)
	last := p.n + 1
	wspipetest.Eval[bool](p.Page, fmt.Sprintf(`(socket.send(%d), true)`, last))
	p.Until(`end !== ""`)
	if end := wspipetest.Eval[string](p.Page, `end`); end != "1000 exit 0" {
		p.t.Errorf("the end is %s", end)
	}
	if got := wspipetest.Eval[int](p.Page, `numbers.length`); got != last {
		p.t.Errorf("%d numbers, want %d", got, last)
	}
	if wrong := wspipetest.Eval[int](p.Page, `numbers.findIndex((number, i) => number !== i + 1)`); wrong >= 0 {
		p.t.Errorf("where %d should be the page has %v", wrong+1, wspipetest.Eval[[]float64](p.Page, fmt.Sprintf(`numbers.slice(%d, %d)`, max(0, wrong-2), wrong+3)))
	}
	if p.t.Failed() {
		p.t.Logf("the server:\n%s", p.server.Stderr())
	}
	p.t.Logf("%d numbers over %d connections", last, 1+p.logged("resume"))
}

// TestPageOverABadNetwork: a number a millisecond, each exactly once, whatever the
// network does, and over reloads.
func TestPageOverABadNetwork(t *testing.T) {
	t.Parallel()
	n := 60_000
	if testing.Short() {
		n = 10_000
	}
	p := newNumbersPage(t, newNetwork(t, 30), n, everyMillisecond(n)...)
	p.had(0.05)
	p.interrupt(0)
	p.had(0.1)
	if testing.Short() {
		p.cut(1)
		p.reload()
		p.end()
		return
	}
	p.lost(func() {
		p.lose(toClient, 1)
		p.lose(toServer, 1)
	}, func() {
		<-time.After(10 * time.Second) // more than the server has waited
		p.lose(toClient, 0)
		p.lose(toServer, 0)
	})
	p.reload()
	p.interrupt(1)
	p.deaf(toClient)
	p.lose(toClient, 0.1)
	p.lose(toServer, 0.1)
	p.flap(0)
	p.reload() // over what is left of the network
	p.lose(toClient, 0)
	p.had(0.7)
	p.deaf(toServer)
	p.reload()
	p.had(0.95)
	p.cut(0)
	p.end()
	if loads := wspipetest.Eval[int](p.Page, `loads`); loads < 3 {
		t.Errorf("the page was loaded again %d times", loads)
	}
}

// TestPageOfAForgottenConnection: the server has given the connection up and said
// so in vain, until its kernel has forgotten it, too. Nothing will ever come from
// there. What the page sends is lost, but ends the connection; while it only
// listens, its browser's TCP asks.
func TestPageOfAForgottenConnection(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "ss")
	for i, does := range []string{"sends", "listens"} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			if does == "listens" && testing.Short() {
				t.Skip("takes a minute: Chromium asks after 45 s")
			}
			n := newNetwork(t, 31+i)
			n.run("ip netns exec", n.namespace(), "sysctl -q net.ipv4.tcp_orphan_retries=1") // not for 100 s
			p := newNumbersPage(t, n, 1, "/bin/sh", "-c", `echo 1; read number; echo "$number"`)
			p.had(1)
			p.lose(toClient, 1)
			p.lose(toServer, 1)
			until(t, "the server gives the connection up", func() bool { return p.logged("disconnect") == 1 })
			until(t, "its kernel does", func() bool {
				out, err := exec.Command("ip", "netns", "exec", n.namespace(), "ss", "-Htan", "state", "fin-wait-1").CombinedOutput()
				return err == nil && len(out) == 0
			})
			p.lose(toClient, 0)
			p.lose(toServer, 0)
			if cuts := wspipetest.Eval[int](p.Page, `cuts`); cuts != 0 {
				t.Error("the page knows already")
			}
			if does == "sends" {
				wspipetest.Eval[bool](p.Page, `(socket.send("lost"), true)`)
			}
			p.Until(`resumes === 1`)
			p.end()
		})
	}
}
