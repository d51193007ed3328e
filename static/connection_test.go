package static_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"wspipe/cmd/wspipetest"
)

// firstMessage returns the first message of the log.
func (p *page) firstMessage() string {
	p.t.Helper()
	p.Until(`document.querySelector("#log .in .text")`)
	return eval[string](p, `document.querySelector("#log .in .text").textContent`)
}

// TestReconnectAnew: without sessions, Reconnect ends the child and starts another.
func TestReconnectAnew(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, answering), "/")
	p.connect()
	first := p.firstMessage()
	p.activate("clear")
	p.activate("reconnect")
	p.Until(`document.body.dataset.state === "open"`)
	if second := p.firstMessage(); second == first {
		t.Errorf("%s is there again", first)
	}
	p.send("a")
	p.received("got a")
	p.WantNoErrors()
}

// TestDropResumes: with sessions, Drop goes on with the same child, and
// so does the page when it is loaded again.
func TestDropResumes(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, answering, "--resume=1m"), "/")
	p.connect()
	first := p.firstMessage()
	p.send("a")
	p.received("got a")
	p.activate("drop")
	p.Until(`[...document.querySelectorAll("#log .event")].some((e) => e.innerText.includes("lost"))`)
	p.Until(`document.body.dataset.state === "open"`)
	p.send("b")
	p.received("got b")
	if n := eval[int](p, `document.querySelectorAll("#log .in").length`); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	p.Do(chromedp.Reload())
	p.Until(`document.body.dataset.state === "open"`)
	p.received("got b")
	if again := p.firstMessage(); again != first {
		t.Errorf("after a reload there is %q, before it was %q", again, first)
	}
	p.Do(chromedp.Click(chromedp.ID("connect"))) // Disconnect ends the session
	p.wantStatus("Disconnected")
	p.Do(chromedp.Reload())
	p.Until(`document.querySelector("#facts").innerText.includes("session kept 60 s")`)
	p.ready()
	p.WantNoErrors()
}

// TestReloadInTheTerminal: a session goes on as it began, with channels or without,
// whichever view is shown, and at the address that was typed.
func TestReloadInTheTerminal(t *testing.T) {
	t.Parallel()
	for _, view := range []string{"messages-tab", "terminal-tab"} {
		p := newPage(t, shell(t, `echo "$REQUEST_URI"; `+answering, "--resume=1m"), "/")
		p.Do(chromedp.Click(chromedp.ID(view)))
		p.connectTo("/other")
		p.Until(`document.body.dataset.state === "open"`)
		p.Do(chromedp.Click(chromedp.ID("messages-tab")))
		p.Until(`document.querySelector("#log").innerText.includes("I am")`)
		log := eval[string](p, `document.querySelector("#log").innerText.match(/I am \d+/)[0]`)
		p.Do(chromedp.Click(chromedp.ID("terminal-tab")), chromedp.Reload())
		p.Until(`document.querySelector(".xterm-rows").innerText.includes("I am")`)
		if again := eval[string](p, `document.querySelector(".xterm-rows").innerText.match(/I am \d+/)[0]`); again != log {
			t.Errorf("%s: after a reload there is %q, before it was %q", view, again, log)
		}
		p.WantNoErrors()
	}
}

// TestResumeIsAChoice: without it a reload ends the child, and starts none.
func TestResumeIsAChoice(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, answering, "--resume=1m"), "/")
	p.Until(`!document.querySelector("#resume-choice").hidden`)
	p.activate("resume")
	p.connect()
	first := p.firstMessage()
	p.activate("clear")
	p.activate("reconnect")
	p.Until(`document.body.dataset.state === "open"`)
	if second := p.firstMessage(); second == first {
		t.Errorf("%s is there again", first)
	}
	p.Do(chromedp.Reload())
	p.Until(`!document.querySelector("#resume-choice").hidden`)
	p.ready()
	p.WantNoErrors()
}

// TestLinksStartNothing: a page that comes by a link, even one that another page
// of this address has a session for, waits to be told.
func TestLinksStartNothing(t *testing.T) {
	t.Parallel()
	server := shell(t, answering, "--resume=1m")
	p := newPage(t, server, "/?a=1")
	p.connect()
	p.received(p.firstMessage())
	p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + "?a=2"))
	p.Until(`document.querySelector("#facts").innerText.includes("session kept")`)
	p.Until(`document.body.dataset.state === "closed" && !document.querySelector("#log .row")`)
	p.WantNoErrors()
}

// TestStreamsApart: over v1.wspipe each message shows its channel, a line that is
// sent gets a newline, signals reach the child, and its input can be ended.
func TestStreamsApart(t *testing.T) {
	t.Parallel()
	// The shell does what it is trapped for when cat, which does not hear, has ended.
	p := newPage(t, shell(t, `trap 'echo interrupted' INT; echo woe >&2; (trap '' INT; exec cat); exit 4`), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"))
	p.connect()
	p.Until(`[...document.querySelectorAll("#log .in")].some((e) => e.classList.contains("stderr") && e.innerText.includes("woe"))`)
	p.send("a")
	p.received("a\n")
	p.activate("send-signal")
	p.Until(`document.querySelector("#log").innerText.includes("sent signal INT")`)
	p.activate("close-input")
	p.received("interrupted\n")
	p.wantStatus("exit status 4", "1000", "exit 4")
	p.Until(`document.querySelector("#log").innerText.includes("the child ended with exit status 4")`)
	p.Until(`document.querySelector("#signals").hidden`)
	p.WantNoErrors()
}

// TestSignalChosen: the signal is the one that was chosen.
func TestSignalChosen(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `exec cat`), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"))
	p.connect()
	p.Until(`!document.querySelector("#signals").hidden`)
	p.reveal("signal")
	p.Do(chromedp.SendKeys(chromedp.ID("signal"), "KILL"), chromedp.Click(chromedp.ID("send-signal")))
	p.wantStatus("signal KILL")
	p.WantNoErrors()
}

// TestTabs: arrows, Home and End choose a view, as a screen reader expects.
func TestTabs(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.Do(chromedp.Click(chromedp.ID("messages-tab")))
	for _, step := range []struct{ key, tab, panel string }{
		{kb.ArrowRight, "terminal-tab", "terminal-panel"}, {kb.ArrowRight, "messages-tab", "messages"},
		{kb.ArrowLeft, "terminal-tab", "terminal-panel"}, {kb.Home, "messages-tab", "messages"}, {kb.End, "terminal-tab", "terminal-panel"},
	} {
		p.Do(chromedp.KeyEvent(step.key))
		p.Until(fmt.Sprintf(`document.activeElement.id === %q && document.activeElement.ariaSelected === "true" && !document.getElementById(%q).hidden`, step.tab, step.panel))
		if n := eval[int](p, `document.querySelectorAll('[role="tabpanel"]:not([hidden])').length`); n != 1 {
			t.Errorf("%d panels are shown", n)
		}
	}
	p.WantNoErrors()
}

// TestFacts: the page says how the endpoint was set up.
func TestFacts(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat", "--framing=json", "--subprotocol=chat,quiet", "--maxframesize=2048", "--share=broadcast", "--readonly"), "/")
	for _, fact := range []string{"program sh", "messages json", "shared broadcast", "connected 0", "input read only", "subprotocols chat, quiet", "longest message 2.0 KiB"} {
		p.Until(fmt.Sprintf(`document.querySelector("#facts").innerText.includes(%q)`, fact))
	}
	p.Do(chromedp.Evaluate[chromedp.Void](`address.value = "ws://192.0.2.1/"; address.dispatchEvent(new Event("change"))`))
	p.Until(`document.querySelector("#facts").childElementCount === 0`) // another server's are not known
	p.WantNoErrors()
}

// TestEndpoints: the page of a path without a program lists those of --dir, and
// each link leads to the page of its own.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "hello.sh"), "#!/bin/sh\necho hello from $SCRIPT_NAME")
	write(t, filepath.Join(dir, "50% off?.sh"), "#!/bin/sh\necho cheap")
	p := newPage(t, wspipetest.Start(t, "--devconsole", "--dir="+dir), "/")
	p.wantText("#empty-text", "There is no endpoint at this path. Choose one of the list.")
	if got := eval[string](p, `[...document.querySelectorAll("#endpoint-list a")].map((a) => a.textContent).join()`); got != "/50% off?.sh,/hello.sh" {
		t.Errorf("the endpoints are %s", got)
	}
	for name, says := range map[string]string{"/50% off?.sh": "cheap", "/hello.sh": "hello from /hello.sh"} {
		href := eval[string](p, fmt.Sprintf(`[...document.querySelectorAll("#endpoint-list a")].find((a) => a.textContent === %q).href`, name))
		p.Do(chromedp.Navigate(href))
		p.Until(fmt.Sprintf(`document.querySelector("#endpoint-list [aria-current]")?.textContent === %q`, name))
		p.connect()
		p.received(says)
		p.wantStatus("exit status 0")
	}
	p.WantNoErrors()
}

// TestWatching: the page of a shared endpoint says how many there are, and the
// number follows those who come and go.
func TestWatching(t *testing.T) {
	t.Parallel()
	server := shell(t, "cat", "--share=broadcast")
	p := newPage(t, server, "/")
	p.connect()
	p.Until(`document.querySelector("#facts").innerText.includes("connected 1")`)
	other := wspipetest.Dial(t, server.WS, nil)
	p.Until(`document.querySelector("#facts").innerText.includes("connected 2")`)
	other.CloseNow()
	p.Until(`document.querySelector("#facts").innerText.includes("connected 1")`)
	p.WantNoErrors()
}

// TestRooms: the page lists the rooms of its endpoint, with the number of clients in each.
func TestRooms(t *testing.T) {
	t.Parallel()
	server := shell(t, "exec cat", "--share=broadcast", "--share-by=query:room")
	p := newPage(t, server, "/?room=blue")
	p.connect()
	other := wspipetest.Dial(t, server.WS+"?room=a%26b", nil)
	const list = `[...document.querySelectorAll("#endpoint-list li")].map((item) => item.textContent).join()`
	p.Until(list + ` === "/?room=a&b 1 client,/?room=blue 1 client"`)
	p.Until(`document.querySelector("#endpoints").textContent.includes("2 rooms") && document.querySelector("#facts").innerText.includes("connected 1")`)
	other.CloseNow()
	p.Until(list + ` === "/?room=blue 1 client"`)
	wspipetest.Dial(t, server.WS+"?room=blue", nil)
	p.Until(list + ` === "/?room=blue 2 clients"`)
	p.Until(`document.querySelector("#facts").innerText.includes("connected 2")`)
	p.WantNoErrors()
}

// TestSecretsAreNotShown: a token in the address is in no text of the page, but
// in the field that it was given in.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `exit 1`), "/?x=1&access_token=hunter2&y=2")
	p.connect()
	p.wantStatus("exit status 1")
	p.Until(`document.querySelector("#log").innerText.includes("connected to ws://")`)
	if text := eval[string](p, `document.title + [...document.querySelectorAll("body *")].map((e) => e.outerHTML).filter((h) => h.includes("hunter2")).join()`); strings.Contains(text, "hunter2") {
		t.Errorf("the page says %s", text)
	}
	p.WantNoErrors()
}
