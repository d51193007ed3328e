package static_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// openAddress types an address into a page, presses Enter and waits until the
// connection has ended.
func (p *page) openAddress(address string) {
	p.t.Helper()
	ends := eval[int](p, `document.querySelectorAll("#log .card").length`)
	defer func() { p.Until(fmt.Sprintf(`document.querySelectorAll("#log .card").length > %d`, ends)) }()
	p.Do(chromedp.Evaluate[chromedp.Void](`address.value = ""`), chromedp.SendKeys(chromedp.ID("address"), address))
	p.enter()
}

// refusing is a server that opens no WebSocket, and answers with status and body
// when it is asked why. Where its answer has CORS, a page of another origin can
// read it.
func refusing(t *testing.T, status int, body string, cors bool, asked func(*http.Request)) (host string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.wspipe/handshake" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		if asked != nil {
			asked(r)
		}
		if cors {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestWhyRefused: the status panel says what a server answers when it is asked.
func TestWhyRefused(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	for _, test := range []struct {
		status      int
		body        string
		cors        bool
		subprotocol string
		want        []string
	}{
		{200, `{"status":403,"why":"origin http://x is not let in (--origin)","flag":"--origin=http://x"}`, true, "",
			[]string{"Refused: 403 Forbidden", "1006", "Origin http://x is not let in (--origin).", "Start wspipe with --origin=http://x"}},
		{200, `{"status":429,"why":"too many children (--maxforks)","flag":"a larger --maxforks"}`, true, "",
			[]string{"Refused: 429 Too Many Requests", "Too many children", "Start wspipe with a larger --maxforks", "connect again"}},
		{200, `{"status":401,"why":"no password"}`, true, "", []string{"Refused: 401 Unauthorized", "log in at http://127.0.0.1:", "Enter a token"}},
		{200, `{"status":404,"why":"no WebSocket endpoint at this path"}`, true, "", []string{"Refused: 404 Not Found", "No WebSocket endpoint at this path."}},
		{200, `{"status":418,"why":"<b>tea</b>"}`, true, "", []string{"Refused: 418", "<b>tea</b>."}},
		{200, `{"status":101,"subprotocol":""}`, true, "", []string{"would be accepted now", "proxy_set_header Upgrade $http_upgrade;", "connect again"}},
		{200, `{"status":101,"subprotocol":""}`, true, "chat", []string{"No subprotocol in common", "--subprotocol"}},
		{200, `{"status":101,"subprotocol":"chat"}`, true, "chat", []string{"would be accepted now"}},
		{502, `<h1>Bad Gateway</h1>`, true, "", []string{"Refused: 502 Bad Gateway", "not from wspipe"}},
		{404, `wspipe: this is a WebSocket endpoint, not a page`, true, "", []string{"was not opened", "does not say why", "There is no WebSocket at / (404)"}},
		{200, `<html>`, true, "", []string{"was not opened", "does not say why"}},
		{200, `{"error":1}`, true, "chat", []string{"does not say why", "supports none of these subprotocols", "refuses pages of http://127.0.0.1:"}},
		{200, strings.Repeat(" ", 1<<20), true, "", []string{"does not say why"}},
		{200, `{"status":403,"why":"this page may not read it"}`, false, "", []string{"does not say why"}},
	} {
		host := refusing(t, test.status, test.body, test.cors, nil)
		p.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`subprotocols.value = %q`, test.subprotocol)))
		p.openAddress(host)
		p.wantStatus(test.want...)
		if n := eval[int](p, `document.querySelectorAll("#log .card b").length`); n != 0 {
			t.Errorf("%s: %d elements were made from text", test.body, n)
		}
	}
}

// TestFlagIsCopyable: a click selects the flag that would allow it, and nothing else.
func TestFlagIsCopyable(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.openAddress(refusing(t, 200, `{"status":403,"why":"no","flag":"--origin=http://127.0.0.1:1"}`, true, nil))
	p.wantStatus("Start wspipe with --origin=")
	p.Do(chromedp.Click(chromedp.CSS("#log .causes code")))
	p.Until(`getSelection().toString() === "--origin=http://127.0.0.1:1"`)
}

// TestRefusalIsAsked: the question has all that the answer depends on, the
// secrets too, which the page does not show.
func TestRefusalIsAsked(t *testing.T) {
	t.Parallel()
	server := shell(t, "cat")
	var asked atomic.Pointer[url.Values]
	host := refusing(t, 200, `{"status":403,"why":"no"}`, true, func(r *http.Request) {
		query := r.URL.Query()
		asked.Store(&query)
	})
	p := newPage(t, server, "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "a, b"))
	p.openAddress(host + "/x/y%20z?q=ö+1&access_token=S3cret")
	p.wantStatus("Refused: 403 Forbidden")
	want := url.Values{
		"path": {"/x/y%20z?q=%C3%B6+1&access_token=S3cret"}, "protocols": {"a,b"},
		"origin": {strings.TrimSuffix(strings.Replace(server.WS, "ws", "http", 1), "/")},
	}
	if got := *asked.Load(); got.Encode() != want.Encode() {
		t.Errorf("asked %v, want %v", got, want)
	}
	if eval[bool](p, `document.body.innerText.includes("S3cret")`) {
		t.Error("the page shows the token")
	}
}

// TestRefusedByTheGate: what this server says in plain words instead counts too.
func TestRefusedByTheGate(t *testing.T) {
	t.Parallel()
	target, err := url.Parse(strings.Replace(shell(t, "cat").WS, "ws", "http", 1))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || r.URL.Path == "/.wspipe/handshake" {
			http.Error(w, "wspipe: the name dev.example is not trusted; to allow it, start wspipe with --host=dev.example", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(gate.Close)
	p := newPage(t, shell(t, "cat"), "/")
	p.Do(chromedp.Navigate(gate.URL))
	p.ready()
	p.enter()
	p.wantStatus("Refused: 403 Forbidden", "The name dev.example is not trusted.", "Start wspipe with --host=dev.example")
}

// TestNothingAnswers: nobody there, or nobody who says anything in time.
func TestNothingAnswers(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			<-release
		}
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(release) })
	gone := httptest.NewServer(nil)
	gone.Close()
	for server, scheme := range map[*httptest.Server]string{silent: "ws", gone: "wss"} {
		host := strings.TrimPrefix(server.URL, "http://")
		p.openAddress(scheme + "://" + host)
		p.wantStatus("Nothing answers at "+host, "Neither a WebSocket nor HTTP", map[string]string{"ws": "It accepts TLS only", "wss": "does not trust the certificate"}[scheme])
	}
}

// TestLateAnswer: the answer about one connection does not stand over the end of
// the next.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	server := shell(t, "exit 3")
	p := newPage(t, server, "/")
	asked, release := make(chan struct{}), make(chan struct{})
	host := refusing(t, 200, `{"status":403,"why":"late"}`, true, func(*http.Request) {
		close(asked)
		<-release
	})
	eval[bool](p, `(() => { const was = fetch; window.fetch = async (...args) => { const answer = await was(...args); if (String(args[0]).includes("handshake")) window.answered = true; return answer; }; return true; })()`)
	p.openAddress(host)
	<-asked
	p.openAddress(server.WS)
	p.wantStatus("exit status 3")
	close(release)
	p.Until(`answered`)
	p.wantStatus("exit status 3")
	if eval[bool](p, `new Promise((done) => setTimeout(done, 100)).then(() => [...document.querySelectorAll("#log .card")].at(-1).innerText.includes("late"))`) {
		t.Error("an old answer is shown")
	}
}

// TestOtherEndsInWords: the ends that other servers, proxies and clients of shared
// programs cause.
func TestOtherEndsInWords(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	for _, test := range []struct {
		end, want string
	}{
		{`{ code: 1002, reason: "protocol error" }`, "bad: Protocol error: protocol error: RFC 6455"},
		{`{ code: 1003, reason: "" }`, "bad: Unsupported data: unsupported data: both"},
		{`{ code: 1008, reason: "no answer to pings" }`, "bad: No answer to pings: policy violation: --pingms"},
		{`{ code: 1008, reason: "go" }`, "bad: Policy violation: policy violation: did not say"},
		{`{ code: 1009, reason: "control message over 4096 bytes" }`, "bad: Control message too big: message too big: control channel"},
		{`{ code: 1011, reason: "bad lsp output: no length" }`, "bad: The program broke its framing: internal error: --framing"},
		{`{ code: 1011, reason: "oops" }`, "bad: Internal error: internal error: log"},
		{`{ code: 1012, reason: "" }`, "bad: Service restart: service restart: back soon"},
		{`{ code: 1014, reason: "" }`, "bad: Bad gateway: bad gateway: proxy"},
		{`{ code: 3999, reason: "" }`, "bad: Closed by the server: registered code: --share=mux"},
		{`{ code: 4123, reason: "exit then" }`, "bad: Closed by the server: application code: --share=mux"},
		{`{ code: 4010, reason: "attached elsewhere" }`, "idle: Session attached elsewhere: application code: Connect takes it back"},
		{`{ code: 4011, reason: "history lost" }`, "bad: Part of the output is lost: application code: Connect resumes"},
		{`{ code: 1000, reason: "exit 126" }`, "bad: Program ended: exit status 126: normal closure: cannot be executed"},
		{`{ code: 1000, reason: "exit 127" }`, "bad: Program ended: exit status 127: normal closure: not found"},
		{`{ code: 1000, reason: "exit 143" }`, "bad: Program ended: exit status 143: normal closure: signal 15 (TERM)"},
		{`{ code: 1000, reason: "exit 163" }`, "bad: Program ended: exit status 163: normal closure: signal 35 ended"},
		{`{ code: 1000, reason: "exit 0", share: "broadcast" }`, "good: Program ended: exit status 0: normal closure: All its clients were disconnected"},
		{`{ code: 1000, reason: "signal QUIT", share: "mux" }`, "bad: Program ended by signal QUIT: normal closure: All its clients were disconnected"},
		{`{ code: 1000, reason: "bye" }`, "idle: Closed by the server: normal closure: --share=mux"},
		{`{ code: 1000, reason: "", byUser: true, share: "mux" }`, "idle: Disconnected: normal closure: runs on for its other clients"},
		{`{ code: 1000, reason: "", byUser: true }`, "idle: Disconnected: normal closure: stops the program"},
	} {
		at := strings.LastIndex(test.want, ": ")
		head, word := test.want[:at], test.want[at+2:]
		got := eval[string](p, fmt.Sprintf(`import("/.wspipe/console/end.js").then(({ explain }) => {
			const { tone, title, detail, name } = explain({ opened: true, byUser: false, ...%s });
			return [tone, title, name].join(": ") + (detail.includes(%q) ? "" : " without the word in " + detail);
		})`, test.end, word))
		if got != head {
			t.Errorf("%s is explained as %q, want %q and %q", test.end, got, head, word)
		}
	}
	p.WantNoErrors()
}
