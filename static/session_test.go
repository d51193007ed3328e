package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// answering says which process it is, and answers lines.
const answering = `echo "I am $$"; while read -r line; do echo "got $line"; done`

// onRelay opens a page with a socket over a relay, to a server with --resume,
// and waits for its first message.
func onRelay(t *testing.T, script string, flags ...string) (*page, *relay) {
	t.Helper()
	server := serveClient(t, script, append([]string{"--resume=1m"}, flags...)...)
	r := newRelay(t, server)
	p := newClientPage(t, server)
	p.run(`window.url = %q; window.socket = watch(url)`, r.WS)
	p.Until(`socket.received > 0`)
	return p, r
}

// cutOff takes the network from a page of onRelay, and waits until it knows.
func (p *page) cutOff(r *relay) {
	p.t.Helper()
	r.refuse(true)
	p.Until(`socket.log.some((l) => l.startsWith("reconnecting"))`)
}

// untilMessages waits until these, and no others, have come to a socket.
func (p *page) untilMessages(socket string, want ...string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`messages(%s).join("\n") === %q`, socket, strings.Join(want, "\n")))
}

// TestOfflineQueue: what is sent while there is no connection waits, as it was
// then, and is sent once, in order.
func TestOfflineQueue(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, `echo ready; cat`, "--framing=lines")
	p.cutOff(r)
	p.run(`
		socket.send("one");
		const bytes = new TextEncoder().encode("two");
		socket.send(bytes.subarray(1));
		socket.send(bytes.buffer);
		bytes.fill(33);
		socket.send(new Blob(["größer"]));
		socket.send("");
		for (let i = 0; i < 100; i++) socket.send(i);
		socket.addEventListener("resumed", () => socket.send("last"), { once: true })`)
	if got := eval[string](p, `[socket.readyState, socket.bufferedAmount].join()`); got != fmt.Sprint("1,", 3+2+3+8+190) {
		t.Errorf("state and bytes that wait are %s", got)
	}
	r.refuse(false)
	want := []string{"ready", "one", "wo", "two", "größer", ""}
	for i := range 100 {
		want = append(want, fmt.Sprint(i))
	}
	p.untilMessages("socket", append(want, "last")...)
	r.cut() // what has been sent is not sent again
	p.Until(`socket.log.filter((l) => l === "resumed").length === 2 && socket.bufferedAmount === 0`)
	p.run(`socket.send("the very last")`)
	p.untilMessages("socket", append(want, "last", "the very last")...)
}

// TestOfflineQueueIsBounded: what is too much is not taken, and told.
func TestOfflineQueueIsBounded(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	p.run(`window.small = watch(url, { queue: 10, key: "small" })`)
	p.Until(`small.received === 1`)
	p.cutOff(r)
	p.Until(`small.log.some((l) => l.startsWith("reconnecting"))`)
	calls := [][2]string{
		{`(small.send("123456"), small.send("789"), small.bufferedAmount)`, "9"},
		{`small.send("äb")`, "QuotaExceededError"},
		{`small.send("x")`, "undefined"},
		{`small.send("y")`, "QuotaExceededError"},
		{`small.bufferedAmount`, "10"},
		{`socket.send(new Uint8Array(1 << 20))`, "undefined"},
		{`socket.send("x")`, "QuotaExceededError"},
	}
	for _, call := range calls {
		if got := eval[string](p, `String(attempt(() => `+call[0]+`))`); got != call[1] {
			t.Errorf("%s: %s, want %s", call[0], got, call[1])
		}
	}
	r.refuse(false)
	p.Until(`messages(small).slice(1).join() === "got 123456,got 789,got x"`)
}

// TestReload: without after, the next page gets everything that is held, and
// then goes on with the same child.
func TestReload(t *testing.T) {
	t.Parallel()
	server := serveClient(t, answering, "--resume=1m")
	p := newClientPage(t, server)
	p.run(`window.socket = watch("/"); window.other = watch("/", { key: "other" })`)
	p.Until(`socket.received === 1 && other.received === 1`)
	p.run(`socket.send("a")`)
	p.Until(`socket.received === 2`)
	first, other := eval[[]string](p, `messages(socket)`), eval[[]string](p, `messages(other)`)
	if n := eval[int](p, `sessionStorage.length`); n != 0 {
		t.Errorf("a copy of this tab would get %d sessions", n)
	}
	for range 2 {
		p.Do(chromedp.Reload())
		p.Until(`window.connect`)
		p.run(`window.socket = watch("/"); window.other = watch("/", { key: "other" })`)
		p.untilMessages("socket", first...)
		p.untilMessages("other", other...)
	}
	p.run(`socket.send("b")`)
	p.untilMessages("socket", append(first, "got b")...)
	p.WantNoErrors()
}

// TestSessionsEnd: after the child's end, and after close(), the next page
// begins anew.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	server := serveClient(t, `echo "I am $$"; read -r line`, "--resume=1m")
	p := newClientPage(t, server)
	seen := make(map[string]bool)
	for _, end := range []string{`socket.send("x")`, `socket.close()`, `socket.close(1000, "bye")`} {
		p.run(`window.socket = watch("/")`)
		p.Until(`socket.received === 1`)
		who := eval[string](p, `messages(socket)[0]`)
		if seen[who] {
			t.Errorf("%s is there again", who)
		}
		seen[who] = true
		p.run(end)
		p.Until(`socket.readyState === 3`)
		p.Do(chromedp.Reload())
		p.Until(`window.connect`)
	}
}

// TestAttachedElsewhere: of two pages with one session the newer has it, and
// the older does not take it back by itself.
func TestAttachedElsewhere(t *testing.T) {
	t.Parallel()
	server := serveClient(t, answering, "--resume=1m")
	here, there := newClientPage(t, server), newClientPage(t, server)
	here.run(`window.socket = watch("/")`)
	here.Until(`socket.received === 1`)
	who := eval[[]string](here, `messages(socket)`)
	here.run(`dispatchEvent(new Event("pagehide"))`)
	kept := eval[[]string](here, `Object.entries(sessionStorage)[0]`)
	there.run(`sessionStorage.setItem(%q, %q); window.socket = watch("/")`, kept[0], kept[1])
	there.untilMessages("socket", who...)
	here.Until(`socket.log.at(-1) === "close 4010 attached elsewhere true"`)
	here.run(`window.socket = watch("/")`) // somebody asks for it
	here.untilMessages("socket", who...)
	there.Until(`socket.log.at(-1) === "close 4010 attached elsewhere true"`)
	if log := eval[string](here, `socket.log.join()`); strings.Contains(log, "close") {
		t.Errorf("the page that took it back: %s", log)
	}
}

// TestCopiedTab: a copy of a tab has a session of its own, also one that is made
// while the tab has put its session down, as a hidden one does.
func TestCopiedTab(t *testing.T) {
	t.Parallel()
	p := newClientPage(t, serveClient(t, answering, "--resume=1m"))
	p.run(`window.socket = watch("/")`)
	p.Until(`socket.received === 1`)
	for _, before := range []string{``, `dispatchEvent(new Event("pagehide"))`} {
		p.run(before)
		p.Do(chromedp.Click(chromedp.ID("another"))) // browsers let a user open a tab, but no script
		p.Until(`copy.connect`)
		p.run(`copy.socket = copy.watch("/")`)
		p.Until(`copy.socket.received === 1`)
		if eval[bool](p, `messages(socket)[0] === messages(copy.socket)[0]`) {
			t.Error("the copy has the same child")
		}
	}
	if n := eval[int](p, `copy.sessionStorage.length`); n != 0 {
		t.Errorf("%d sessions in the copy's storage", n)
	}
	p.Until(`document.hidden && sessionStorage.length === 1`) // behind its copies
	if _, err := chromedp.Call(p.Ctx, cdppage.BringToFront, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	p.Until(`!document.hidden && sessionStorage.length === 0`)
	p.run(`socket.send("x")`)
	p.Until(`messages(socket).at(-1) === "got x" && !socket.log.some((l) => l.startsWith("close"))`)
}

// TestHistoryLost: the page is told, and can go on with what there is.
func TestHistoryLost(t *testing.T) {
	t.Parallel()
	server := serveClient(t, `echo "I am $$"; head -c 1000000 /dev/zero | tr '\0' x | fold -w 10000; echo; echo all; while read -r line; do echo "$$ got $line"; done`, "--resume=1m", "--resume-buffer=64KiB")
	p := newClientPage(t, server)
	p.run(`window.socket = watch("/")`)
	p.Until(`messages(socket).at(-1) === "all"`)
	pid := strings.TrimPrefix(eval[string](p, `messages(socket)[0]`), "I am ")
	p.Do(chromedp.Reload())
	p.Until(`window.connect`)
	p.run(`window.socket = watch("/", { after: 7 })`)
	p.untilLog("socket", "open", "close 4011 history lost true")
	p.run(`window.socket = watch("/"); await next(socket, "open"); socket.send("x")`)
	p.Until(fmt.Sprintf(`messages(socket).at(-1) === "%s got x" && messages(socket).at(-2) === "all"`, pid))
}

// TestRefusedAfterReload: the first connection of a page that fails is an error,
// as with a WebSocket, but does not cost the session.
func TestRefusedAfterReload(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	who := eval[[]string](p, `messages(socket)`)
	r.refuse(true)
	p.Do(chromedp.Reload())
	p.Until(`window.connect`)
	p.run(`window.socket = watch(%q)`, r.WS)
	p.untilLog("socket", "error", "close 1006  false")
	r.refuse(false)
	p.run(`window.socket = watch(%q)`, r.WS)
	p.untilMessages("socket", who...)
}

// TestLateHandshake: an attempt that was given up reaches the server after the
// one that followed it, and takes the session from that. The client has it back.
func TestLateHandshake(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	arrive := r.hold()
	r.cut()
	p.Until(`socket.log.includes("resumed")`) // after some patience with the first attempt
	arrive()
	p.Until(`socket.log.filter((l) => l === "resumed").length === 2`)
	const want = "reconnecting 1 after 1006, reconnecting 2 after 1006, resumed, reconnecting 3 after 4010, resumed"
	if log := eval[string](p, `socket.log.slice(2).join(", ")`); log != want {
		t.Errorf("the socket said %s, want %s", log, want)
	}
	p.run(`socket.send("x")`)
	p.Until(`messages(socket).slice(1).join() === "got x"`)
}

// TestOfflineAndOnline: what the browser knows of the network spares waiting.
func TestOfflineAndOnline(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	release := r.stall() // the connection looks open
	p.run(`dispatchEvent(new Event("offline")); socket.send("x")`)
	release()
	p.run(`dispatchEvent(new Event("online"))`)
	p.Until(`messages(socket).slice(1).join() === "got x"`)
	for _, event := range []string{
		`dispatchEvent(new Event("online"))`,
		`document.dispatchEvent(new Event("visibilitychange"))`,
		`dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`,
	} {
		r.refuse(true)
		p.Until(`socket.log.at(-1) === "reconnecting 4 after 1006"`) // the next is in 4 to 8 s
		r.refuse(false)
		took := eval[float64](p, `(async () => { const from = performance.now(); `+event+`; await next(socket, "resumed"); return performance.now() - from; })()`)
		if took > 3000 {
			t.Errorf("after %s it took %v ms to connect", event, took)
		}
		p.run(`socket.send("y"); await next(socket, "message")`) // progress: attempts are counted from 1 again
	}
}

// TestClosedWhileOffline: there is nobody to tell, and no more attempts. The
// session is not taken up again.
func TestClosedWhileOffline(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	who := eval[string](p, `messages(socket)[0]`)
	p.run(`socket.onreconnecting = ({ detail }) => { window.delay = detail.delay; }`)
	p.cutOff(r)
	p.run(`socket.send("never"); socket.close(); socket.send("nor this")`)
	p.Until(`socket.log.at(-1) === "close 1006  false" && socket.readyState === 3 && socket.bufferedAmount === 13`)
	tried := r.count()
	r.refuse(false)
	p.run(`dispatchEvent(new Event("online"));
		await new Promise((done) => setTimeout(done, delay)); // after the next attempt, were there one
		window.socket = watch(%q)`, r.WS)
	p.Until(`socket.received === 1`)
	if eval[string](p, `messages(socket)[0]`) == who {
		t.Error("the next socket has the session that was closed")
	}
	if got := r.count(); got != tried+1 {
		t.Errorf("%d connections were made after close(), want none", got-tried-1)
	}
}

// TestThrowingHandler: what a page does with a message does not change the count.
func TestThrowingHandler(t *testing.T) {
	t.Parallel()
	server := serveClient(t, `seq 1 5; cat`, "--resume=1m")
	r := newRelay(t, server)
	p := newClientPage(t, server)
	p.run(`window.socket = connect(%q); window.got = [];
		socket.onmessage = ({ data }) => { got.push(data + "/" + socket.received); throw new Error("broken page"); }`, r.WS)
	p.Until(`got.length === 5`)
	r.cut()
	p.run(`await next(socket, "resumed"); socket.send("six")`)
	p.Until(`got.join() === "1/1,2/2,3/3,4/4,5/5,six/6"`)
}

// TestChannels: with channels only output counts, as the server does it.
func TestChannels(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"v1.wspipe", "v5.channel.k8s.io"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			server := serveClient(t, `i=0; while [ $i -lt 3000 ]; do echo $i; echo "e$i" >&2; i=$((i+1)); sleep 0.001; done; exit 3`, "--resume=1m")
			r := newRelay(t, server)
			p := newClientPage(t, server)
			p.run(`window.out = ["", "", "", ""]; window.end = "";
				window.socket = connect(%q, { protocols: %q });
				socket.binaryType = "arraybuffer";
				socket.onmessage = ({ data }) => { const [channel] = new Uint8Array(data); if (channel < 4) out[channel] += new TextDecoder().decode(new Uint8Array(data, 1)); };
				socket.onclose = ({ code, reason }) => { end = code + reason; }`, r.WS, protocol)
			for _, after := range []int{300, 1200} {
				p.Until(fmt.Sprintf(`socket.received > %d`, after))
				r.cut()
			}
			p.Until(`end !== ""`)
			if end := eval[string](p, `end`); end != "1000exit 3" {
				t.Errorf("the end is %s", end)
			}
			for channel, prefix := range map[int]string{1: "", 2: "e"} {
				want := fmt.Sprintf(`Array.from({ length: 3000 }, (_, i) => %q + i + "\n").join("")`, prefix)
				if !eval[bool](p, fmt.Sprintf(`out[%d] === %s`, channel, want)) {
					t.Errorf("channel %d is not what the child wrote: %.200q", channel, eval[string](p, fmt.Sprintf(`out[%d]`, channel)))
				}
			}
			if !eval[bool](p, `out[3].includes("NonZeroExitCode")`) {
				t.Error("no exit status")
			}
		})
	}
}

// TestWithoutResume: a server that knows no sessions serves a WebSocket, and
// says that what was missed is gone.
func TestWithoutResume(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	server := serveClient(t, `echo "$$" >>"`+log+`"; echo hi; cat`)
	r := newRelay(t, server)
	p := newClientPage(t, server)
	p.run(`window.socket = watch(%q)`, r.WS)
	p.Until(`socket.received === 1`)
	p.run(`socket.send("x")`)
	p.untilMessages("socket", "hi", "x")
	r.cut()
	p.Until(`socket.log.at(-1) === "close 4011 history lost true"`)
	if pids, err := os.ReadFile(log); err != nil || strings.Count(string(pids), "\n") != 1 {
		t.Errorf("children were started: %q, %v", pids, err)
	}
}

// TestServerRestarts: the session is gone with the server, and the page told.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	r.redirect(wspipetest.Start(t, "--resume=1m", "cat"))
	r.cut()
	p.Until(`socket.log.at(-1) === "close 4011 history lost true"`)
}
