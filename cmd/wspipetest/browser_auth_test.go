//go:build unix

package wspipetest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"golang.org/x/crypto/bcrypt"

	"wspipe/cmd/wspipetest"
)

// greeter is a child that says by whom and how it was called.
var greeter = []string{"/bin/sh", "-c", `echo "$REMOTE_USER|$AUTH_TYPE|$QUERY_STRING|$HTTP_SEC_WEBSOCKET_PROTOCOL"; cat`}

// newPage opens a tab that shows url, whatever comes of it.
func newPage(t *testing.T, url string) *wspipetest.Page {
	t.Helper()
	p := wspipetest.NewPage(t)
	visitURL(t, p, url)
	return p
}

// visitURL is chromedp.Navigate for an answer that may be a refusal.
func visitURL(t *testing.T, p *wspipetest.Page, url string) {
	t.Helper()
	if _, err := chromedp.Call(p.Ctx, page.Navigate, page.NavigateParams{URL: url}); err != nil {
		t.Fatal(err)
	}
	p.Until(`document.readyState === "complete" && location.href !== "about:blank"`)
}

// expectSocket opens a WebSocket from the page and sends it a line. outcome is
// the chosen subprotocol and both messages, or "closed" and the code.
func expectSocket(t *testing.T, p *wspipetest.Page, outcome, url string, protocols ...string) {
	t.Helper()
	offer := "[]"
	if len(protocols) > 0 {
		offer = `["` + strings.Join(protocols, `", "`) + `"]`
	}
	got := wspipetest.Eval[string](p, fmt.Sprintf(`new Promise((done) => {
		const socket = new WebSocket(%q, %s), got = [];
		socket.onmessage = ({ data }) => {
			if (got.push(data) == 1) return socket.send("ping");
			socket.onclose = () => done([socket.protocol, ...got].join(" "));
			socket.close();
		};
		socket.onclose = ({ code }) => done("closed " + code);
	})`, url, offer))
	if got != outcome {
		t.Errorf("a socket to %s, offering %s: got %q, want %q", url, offer, got, outcome)
	}
}

// refusedSocket is all that a browser tells of a handshake that was refused.
const refusedSocket = "closed 1006"

// TestBrowserLogsIn with a password, which it then sends with the handshake, too.
func TestBrowserLogsIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"index.html": "<title>ours</title><script src=part.js></script>", "part.js": "document.title = 'ours, whole'"})
	s := startSite(t, nil, append([]string{"--basic-auth=alice:open:sesame", "--staticdir=" + dir, "--devconsole"}, greeter...)...)
	title := func(p *wspipetest.Page, want string) {
		t.Helper()
		p.Until(fmt.Sprintf("document.title === %q", want))
	}

	p := wspipetest.NewPage(t)
	answerDialog(t, p, nobody)
	visitURL(t, p, "http://"+s.host+"/")
	p.Until(`document.body.innerText.startsWith("wspipe: no credentials (--basic-auth)")`)
	expectSocket(t, p, refusedSocket, s.WS)
	if got := wspipetest.Eval[int](p, `fetch("/part.js", { credentials: "omit" }).then(({ status }) => status)`); got != 401 {
		t.Errorf("a file was answered with %d", got)
	}

	p = wspipetest.NewPage(t)
	answerDialog(t, p, nobody)
	visitURL(t, p, "http://alice:wrong@"+s.host+"/")
	p.Until(`document.body.innerText.startsWith("wspipe: wrong credentials (--basic-auth)")`)
	expectSocket(t, p, refusedSocket, s.WS)

	p = newPage(t, "http://alice:open%3Asesame@"+s.host+"/")
	title(p, "ours, whole")
	expectSocket(t, p, " alice|Basic|x=1| ping", s.WS+"?x=1")
	visitURL(t, p, "http://"+s.host+"/console")
	title(p, "/console – wspipe console")
	converse(p, "hello")
	p.WantNoErrors()
}

// TestBrowserAsksForThePassword as it does in its dialog.
func TestBrowserAsksForThePassword(t *testing.T) {
	t.Parallel()
	users := wspipetest.SecretFile(t, "file", wspipetest.HtpasswdLine(t, "bob", "hunter 2", bcrypt.MinCost))
	s := startSite(t, nil, append([]string{"--htpasswd=" + users, "--devconsole"}, greeter...)...)
	p := wspipetest.NewPage(t)
	asked := answerDialog(t, p, fetch.AuthChallengeResponse{Response: "ProvideCredentials", Username: "bob", Password: "hunter 2"})
	visitURL(t, p, "http://"+s.host+"/")
	converse(p, "hello")
	p.Until(`[...document.querySelectorAll("#log .in .text")].some((e) => e.textContent.startsWith("bob|Basic|"))`)
	select {
	case realm := <-asked:
		if realm != "wspipe" {
			t.Errorf("the dialog is for %q", realm)
		}
	default:
		t.Error("the browser did not ask")
	}
}

// nobody answers the browser's dialog with Cancel.
var nobody = fetch.AuthChallengeResponse{Response: "CancelAuth"}

// answerDialog answers the browser's dialog whenever it would show it. The first
// realm that asks is sent to asked.
func answerDialog(t *testing.T, p *wspipetest.Page, answer fetch.AuthChallengeResponse) (asked <-chan string) {
	t.Helper()
	realms := make(chan string, 1)
	err := chromedp.Listen(p.Ctx, func(event any) {
		switch e := event.(type) {
		case *fetch.EventRequestPaused:
			go chromedp.Call(p.Ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID}) // ends with the call; unblocked by p.Ctx
		case *fetch.EventAuthRequired:
			select {
			case realms <- e.AuthChallenge.Realm:
			default:
			}
			go chromedp.Call(p.Ctx, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: e.RequestID, AuthChallengeResponse: &answer}) // as above
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if _, err := chromedp.Call(p.Ctx, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &yes}); err != nil {
		t.Fatal(err)
	}
	return realms
}

// converse connects the console and sends a line, which must come back.
func converse(p *wspipetest.Page, line string) {
	p.Until(`document.body.dataset.state === "closed"`)
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.Until(`document.body.dataset.state === "open"`)
	p.Do(chromedp.SendKeys(chromedp.ID("message"), line), chromedp.Click(chromedp.CSS("#send .primary")))
	p.Until(fmt.Sprintf(`[...document.querySelectorAll("#log .in .text")].some((e) => e.textContent === %q)`, line))
}

// elsewhere serves an empty page at app.example, and returns its origin.
func elsewhere(t *testing.T) (origin string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>elsewhere</title>")
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "app.example", 1)
}

// TestPageOfAnotherOriginHasAToken: its script can send no header, but offer the
// token as a subprotocol or put it in the query.
func TestPageOfAnotherOriginHasAToken(t *testing.T) {
	t.Parallel()
	origin := elsewhere(t)
	tokens := wspipetest.SecretFile(t, "file", goodToken+"\n")
	s := startSite(t, nil, append([]string{"--token-file=" + tokens, "--subprotocol=demo,other", "--origin=" + origin}, greeter...)...)
	p := newPage(t, origin)
	expectSocket(t, p, "demo |Bearer||demo ping", s.WS, "demo", wspipetest.OfferedToken(goodToken))
	expectSocket(t, p, "demo |Bearer|x=1|demo ping", s.WS+"?x=1", wspipetest.OfferedToken(goodToken), "demo")
	expectSocket(t, p, refusedSocket, s.WS, "demo", wspipetest.OfferedToken("x"+goodToken))
	expectSocket(t, p, refusedSocket, s.WS, "demo")
	expectSocket(t, p, refusedSocket, s.WS, wspipetest.OfferedToken(goodToken)) // a browser wants one of those that it offers

	query := s.WS + "?a=1&access_token=" + url.QueryEscape(goodToken)
	expectSocket(t, p, " |Bearer|a=1| ping", query)
	expectSocket(t, p, "other |Bearer|a=1|other ping", query, "other")
	expectSocket(t, p, refusedSocket, query+"x")
	s.AwaitStderr(`refused="wrong credentials (--token-file)"`)

	// Without --origin the token does not help.
	s = startSite(t, nil, append([]string{"--token-file=" + tokens, "--subprotocol=demo"}, greeter...)...)
	expectSocket(t, p, refusedSocket, s.WS, "demo", wspipetest.OfferedToken(goodToken))
	s.AwaitStderr(`allow="--origin=` + origin)
}

// TestPageWithoutOriginHasAToken: about:blank has the origin null.
func TestPageWithoutOriginHasAToken(t *testing.T) {
	t.Parallel()
	for flag, outcome := range map[string]string{"--origin=null": "demo |Bearer||demo ping", "--origin=http://app.example": refusedSocket} {
		s := startSite(t, nil, append([]string{"--token-file=" + wspipetest.SecretFile(t, "file", goodToken), "--subprotocol=demo", flag}, greeter...)...)
		p := wspipetest.NewPage(t)
		expectSocket(t, p, outcome, s.WS, "demo", wspipetest.OfferedToken(goodToken))
	}
}

// TestRebinding: evil.example has been made to resolve to our address, so to the
// browser its page is of our origin.
func TestRebinding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"static/index.html": "<!doctype html><title>ours</title>",
		"cgi/run":           "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\ncgi'\n",
	})
	flags := append([]string{"--staticdir=" + dir + "/static", "--cgidir=" + dir + "/cgi", "--devconsole"}, greeter...)
	s := startSite(t, nil, flags...)
	at := func(s *site) string { return strings.Replace(s.host, "127.0.0.1", "evil.example", 1) }
	const fetched = `Promise.all(["/", "/run", "/console"].map((path) => fetch(path).then(({ status }) => status))).then(String)`

	p := newPage(t, "http://"+at(s)+"/")
	p.Until(`document.body.innerText.startsWith('wspipe: the host name "evil.example" is not a name of this server') && document.body.innerText.includes("--host=evil.example")`)
	fulfill(t, p, "<!doctype html><title>evil</title>")
	visitURL(t, p, "http://"+at(s)+"/")
	p.Until(`document.title === "evil"`)
	expectSocket(t, p, refusedSocket, "ws://"+at(s)+"/rebound")
	s.AwaitStderr("path=/rebound status=403")
	if got := wspipetest.Eval[string](p, fetched); got != "403,403,403" {
		t.Errorf("the page got %s", got)
	}
	expectSocket(t, p, refusedSocket, s.WS) // which is another origin
	s.AwaitStderr(`allow="--origin=http://` + at(s))
	if log := s.Stderr(); strings.Contains(log, "connect ") || strings.Contains(log, "status=200") || strings.Contains(log, "status=101") {
		t.Errorf("something was let in:\n%s", log)
	}

	s = startSite(t, nil, append([]string{"--host=evil.example"}, flags...)...)
	p = newPage(t, "http://"+at(s)+"/")
	p.Until(`document.title === "ours"`)
	expectSocket(t, p, " ||| ping", "ws://"+at(s)+"/")
	if got := wspipetest.Eval[string](p, fetched); got != "200,200,200" {
		t.Errorf("the page got %s", got)
	}
}

// fulfill answers whatever pages the browser loads with text.
func fulfill(t *testing.T, p *wspipetest.Page, text string) {
	t.Helper()
	err := chromedp.Listen(p.Ctx, func(event any) {
		if e, ok := event.(*fetch.EventRequestPaused); ok {
			go chromedp.Call(p.Ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: e.RequestID, ResponseCode: 200, Body: []byte(text), // ends with the call; unblocked by p.Ctx
				ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/html"}}})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(p.Ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{ResourceType: "Document"}}}); err != nil {
		t.Fatal(err)
	}
}

// TestBrowserSpeaksTLS: the console comes over https, and its socket is wss.
func TestBrowserSpeaksTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile := wspipetest.NewCA(t, "ca").Server(t)
	s := startSite(t, nil, append([]string{"--ssl", "--sslcert=" + certFile, "--sslkey=" + keyFile, "--devconsole"}, greeter...)...)
	p := newPage(t, "https://"+s.host+"/")
	converse(p, "hello")
	if got, want := wspipetest.Eval[string](p, `document.querySelector("#address").value`), "wss://"+s.host+"/"; got != want {
		t.Errorf("the console's address is %q, want %q", got, want)
	}
	expectSocket(t, p, " ||| ping", s.WS)
	p.WantNoErrors()
}
