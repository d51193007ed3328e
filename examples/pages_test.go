package examples_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// tab is a browser tab, 360 px wide as on a small telephone.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browser starts Chromium, with a profile of its own, and returns its first tab.
func browser(t *testing.T) tab {
	t.Helper()
	chromium := wspipetest.Need(t, "chromium")
	bounded, cancelBounded := context.WithTimeout(t.Context(), 2*wspipetest.Patience)
	t.Cleanup(cancelBounded)
	options := append(wspipetest.Chromium(chromium), chromedp.Env("TMPDIR="+t.TempDir())) // it leaves its sockets behind
	ctx, cancel := chromedp.NewExecAllocator(bounded, options...)
	t.Cleanup(cancel)
	return tab{t, ctx}.open()
}

// open opens a tab beside b.
func (b tab) open() tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	opened := tab{b.t, ctx}
	opened.do(chromedp.EmulateViewport(360, 640))
	return opened
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// enter types a line into the chat page and ends it with the Enter key.
func (b tab) enter(line string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("#line"), line+"\n"))
}

// until waits until a JavaScript expression has the value want. One that
// throws has it not yet: an element may be missing still.
func (b tab) until(expression, want string) {
	b.t.Helper()
	quoted, err := json.Marshal(want)
	if err != nil {
		b.t.Fatal(err)
	}
	equal := chromedp.Poll[chromedp.Void]("(() => { try { return "+expression+" === "+string(quoted)+" } catch { return false } })()",
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(time.Minute))
	if err := chromedp.Do(b.ctx, equal); err != nil {
		got, _ := chromedp.Run(b.ctx, chromedp.Evaluate[any](expression))
		b.t.Fatalf("%s is %q, want %q: %v", expression, got, want, err)
	}
}

// untilShown waits until an element has a text and fails if the page has
// become wider than the tab.
func (b tab) untilShown(id, want string) {
	b.t.Helper()
	b.until("document.getElementById('"+id+"').innerText", want)
	b.until("String(document.documentElement.scrollWidth <= innerWidth)", "true")
}

// fromDisk returns the file: address of a page that is to connect to ws.
func fromDisk(t *testing.T, page, ws string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("html", page))
	if err != nil {
		t.Fatal(err)
	}
	return "file://" + filepath.ToSlash(path) + "?ws=" + url.QueryEscape(ws)
}

// pagesBeside is a web server that has the pages and passes all else on to wspipe.
func pagesBeside(t *testing.T, server *wspipetest.Server) http.Handler {
	t.Helper()
	target, err := url.Parse("http" + strings.TrimPrefix(server.WS, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/pages/", http.StripPrefix("/pages", http.FileServer(http.Dir("html"))))
	mux.Handle("/", httputil.NewSingleHostReverseProxy(target))
	return mux
}

func TestCountPage(t *testing.T) {
	t.Parallel()
	first := browser(t)
	count := example(t, "bash/count.sh")

	t.Run("from disk", func(t *testing.T) {
		b := tab{t, first.ctx}
		server := wspipetest.Start(t, "--origin=null", count, "3")
		b.do(chromedp.Navigate(fromDisk(t, "count.html", server.WS)))
		for _, numbers := range []string{"1", "1\n2", "1\n2\n3"} {
			b.untilShown("all", numbers)
		}
		b.untilShown("latest", "3")
		b.untilShown("state", "closed 1000 exit 0")
		b.do(chromedp.Click(chromedp.CSS("#again")))
		b.untilShown("all", "1")
	})
	t.Run("from its own host", func(t *testing.T) {
		b := tab{t, first.ctx}
		host := httptest.NewServer(pagesBeside(t, wspipetest.Start(t, count, "1")))
		t.Cleanup(host.Close)
		b.do(chromedp.Navigate(host.URL + "/pages/count.html"))
		b.untilShown("latest", "1")
		b.untilShown("state", "closed 1000 exit 0")
	})
	t.Run("refused", func(t *testing.T) {
		b := tab{t, first.ctx}
		server := wspipetest.Start(t, count)
		b.do(chromedp.Navigate(fromDisk(t, "count.html", server.WS)))
		b.untilShown("state", "closed 1006")
		b.untilShown("command", "wspipe --port=8080 --origin=null ./examples/bash/count.sh")
	})
	t.Run("no address", func(t *testing.T) {
		b := tab{t, first.ctx}
		b.do(chromedp.Navigate(fromDisk(t, "count.html", "http:// ")))
		b.until("document.getElementById('state').className", "failed")
	})
}

func TestChatPage(t *testing.T) {
	t.Parallel()
	ada := browser(t)
	bob := ada.open()
	chat := example(t, "bash/chat.sh")
	server := wspipetest.Start(t, "--origin=null", chat, filepath.Join(t.TempDir(), "room.txt"))
	address := fromDisk(t, "chat.html", server.WS)

	ada.do(chromedp.Navigate(address))
	ada.untilShown("log", "What is your name?")
	ada.until("document.getElementById('line').placeholder", "Your name")
	ada.enter("ada")
	ada.untilShown("log", "What is your name?\n* ada joined")
	bob.do(chromedp.Navigate(address))
	bob.untilShown("log", "What is your name?")
	bob.enter("bob")
	ada.untilShown("log", "What is your name?\n* ada joined\n* bob joined")

	ada.enter("hello, <b>Bob</b>")
	bob.untilShown("log", "What is your name?\n* ada joined\n* bob joined\nada: hello, <b>Bob</b>")
	bob.enter("hello, Ada")
	ada.untilShown("log", "What is your name?\n* ada joined\n* bob joined\nada: hello, <b>Bob</b>\nbob: hello, Ada")

	bob.do(chromedp.Navigate("about:blank"))
	ada.untilShown("log", "What is your name?\n* ada joined\n* bob joined\nada: hello, <b>Bob</b>\nbob: hello, Ada\n* bob left")
}

func TestChatPageRefused(t *testing.T) {
	t.Parallel()
	b := browser(t)
	server := wspipetest.Start(t, example(t, "bash/chat.sh"), filepath.Join(t.TempDir(), "room.txt"))
	b.do(chromedp.Navigate(fromDisk(t, "chat.html", server.WS)))
	b.untilShown("state", "closed 1006")
	b.untilShown("command", "wspipe --port=8080 --origin=null ./examples/bash/chat.sh")
	b.untilShown("send", "Connect")
}
