package static_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
	"wspipe/static"
)

// serveClient serves a shell script beside testdata/client.html.
func serveClient(t *testing.T, script string, flags ...string) *wspipetest.Server {
	t.Helper()
	args := append([]string{"--staticdir=testdata"}, flags...)
	return wspipetest.Start(t, append(args, "/bin/sh", "-c", script)...)
}

// newClientPage opens testdata/client.html of server in a tab.
func newClientPage(t *testing.T, server *wspipetest.Server) *page {
	t.Helper()
	p := &page{wspipetest.NewPage(t), t}
	p.open(server)
	return p
}

// open loads testdata/client.html.
func (p *page) open(server *wspipetest.Server) {
	p.t.Helper()
	p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1) + "client.html"))
	p.Until(`window.connect`)
}

// run runs statements in the page.
func (p *page) run(format string, args ...any) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf("(async () => {"+format+"; return true; })()", args...))
}

// untilLog waits until the log of a socket, which may go on, begins with lines.
func (p *page) untilLog(socket string, lines ...string) {
	p.t.Helper()
	want, err := json.Marshal(lines)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Until(fmt.Sprintf("JSON.stringify(%s.log.slice(0, %d)) === %q", socket, len(lines), want))
}

func TestClientIsSmall(t *testing.T) {
	t.Parallel()
	if lines := bytes.Count(static.ClientModule, []byte("\n")); lines > 310 {
		t.Errorf("client.js has %d lines, more than 310", lines)
	}
	if bytes.Contains(static.ClientModule, []byte("\nimport")) {
		t.Error("client.js needs another file")
	}
}

// TestClientTypes has the TypeScript compiler look at a use of everything.
func TestClientTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{"client.d.ts", "testdata/uses.ts"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wspipetest.NPMInstall(t, dir, "typescript@5.9.3", "@xterm/xterm@5.5.0", "@xterm/addon-attach@0.11.0")
	tsc := exec.Command("node_modules/.bin/tsc", "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom",
		"--module", "esnext", "--moduleResolution", "bundler", "client.d.ts", "uses.ts")
	tsc.Dir = dir
	if out, err := tsc.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}

// nobody is an address of 127.0.0.1 where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestClientIsAWebSocket plays the same with a WebSocket and with connect. What
// a page can see of them is the same.
func TestClientIsAWebSocket(t *testing.T) {
	t.Parallel()
	talk := serveClient(t, `echo hi; read x; echo "got $x"; exit 3`, "--subprotocol=chat", "--compress")
	echo := serveClient(t, `exec cat`, "--binary")
	p := newClientPage(t, talk)
	p.run(`window.urls = { talk: %q, echo: %q, nobody: %q }`, talk.WS, echo.WS, "ws://"+nobody(t)+"/")
	for name, scene := range map[string]string{
		"conversation": `const s = make(urls.talk); seen(s.readyState, attempt(() => s.send('early')), s.protocol);
			s.addEventListener('message', function ({ data, target }) { seen(this === s, target === s, s.readyState); if (data === 'hi') seen(s.send('me')); });
			await next(s, 'close'); seen(s.readyState, s.bufferedAmount, s.url, s.extensions, s.protocol)`,
		"subprotocol":      `const s = make(urls.talk, ['quiet', 'chat']); await next(s, 'open'); seen(s.protocol, s.extensions, s.readyState, s.OPEN)`,
		"close":            `const s = make(urls.talk); await next(s, 'message'); s.close(); seen(s.readyState); s.send('late'); seen(s.bufferedAmount); s.close(); await next(s, 'close'); s.close(); s.send('later'); seen(s.bufferedAmount, s.readyState)`,
		"close with words": `const s = make(urls.talk); await next(s, 'message'); seen(s.close(1000, 'bye')); await next(s, 'close')`,
		"wrong close":      `const s = make(urls.talk); await next(s, 'message'); seen(attempt(() => s.close(1)), attempt(() => s.close(1000, 'x'.repeat(124))), s.readyState)`,
		"cancelled":        `const s = make(urls.talk); s.close(); seen(s.readyState); await next(s, 'close'); seen(s.readyState)`,
		"refused":          `const s = make(urls.nobody); s.addEventListener('error', () => seen(s.readyState)); await next(s, 'close'); seen(s.readyState)`,
		"closed at once":   `const s = make(urls.talk); await next(s, 'open'); s.close(4999, 'x'); await next(s, 'close'); seen(attempt(() => s.send('x')))`,
		"wrong addresses":  `seen(attempt(() => make('ftp://x/')), attempt(() => make('ws://[')), attempt(() => make(urls.talk, ['a', 'a'])), attempt(() => make(urls.talk, 'a b')))`,
		"addresses":        `for (const url of ['/a?b=c%20d', 'x', '?q', urls.talk.replace('ws', 'http'), new URL('http://127.0.0.1:1/')]) { const s = make(url); seen(s.url); s.close(); }`,
		"binary": `const s = make(urls.echo); seen(s.binaryType); await next(s, 'open');
			const bytes = new Uint8Array([1, 2, 255, 0, 3]);
			for (const data of ['größe', bytes, bytes.buffer, new DataView(bytes.buffer, 1, 3), new Blob(['abc']), 17, null]) {
				for (s.binaryType of ['blob', 'arraybuffer']) { const came = next(s, 'message'); s.send(data); seen([...new Uint8Array(await new Response((await came).data).arrayBuffer())].join()); }
			}`,
		"handlers": `const s = make(urls.talk); seen(s.onopen, s.onclose); s.onmessage = () => seen('first'); s.onmessage = function (e) { seen(this === s, e.type); }; s.onopen = 17; seen(s.onopen);
			s.onclose = () => seen('closed'); await next(s, 'message'); s.onmessage = null; seen(s.onmessage); s.send('x'); await next(s, 'close')`,
		"unheard": `const s = make(urls.talk), deaf = () => seen('heard'); s.addEventListener('message', deaf); s.removeEventListener('message', deaf); await next(s, 'message')`,
	} {
		play := func(make string) string {
			return eval[string](p, fmt.Sprintf(`(async () => {
				const notes = [], seen = (...more) => notes.push(...more.map(String));
				const make = (url, protocols) => {
					const s = %s;
					for (const type of types) s.addEventListener(type, (e) => notes.push(line(e)));
					return s;
				};
				%s;
				return notes.join("\n");
			})()`, make, scene))
		}
		want := play(`new WebSocket(url, protocols ?? [])`)
		for _, made := range []string{`connect(url, { protocols })`, `connect(url, { protocols, resume: false })`} {
			if got := play(made); got != want {
				t.Errorf("%s: with %s\n%s\nwith a WebSocket\n%s", name, made, got, want)
			}
		}
	}
}

// TestClientFromElsewhere: a page of another port loads the module, and opens a
// WebSocket there.
func TestClientFromElsewhere(t *testing.T) {
	t.Parallel()
	there := wspipetest.Start(t, "echo", "hello")
	p := newClientPage(t, serveClient(t, "cat"))
	module := strings.Replace(there.WS, "ws", "http", 1) + ".wspipe/client.js"
	got := eval[string](p, fmt.Sprintf(`import(%q).then(({ connect }) => next(connect(%q), "message")).then(({ data }) => data)`, module, there.WS))
	if got != "hello" {
		t.Errorf("got message %q", got)
	}
	p.WantNoErrors()
}

// TestClientUnderAPolicy: it needs no more than what its page says in the docs.
func TestClientUnderAPolicy(t *testing.T) {
	t.Parallel()
	server := wspipetest.Start(t, "--devconsole", "--header-http=Content-Security-Policy: script-src 'self'; connect-src 'self'", "echo", "hello")
	p := &page{wspipetest.NewPage(t), t}
	p.Do(chromedp.Navigate(strings.Replace(server.WS, "ws", "http", 1)))
	got := eval[string](p, `import("/.wspipe/client.js").then(({ connect }) => new Promise((done) => { connect("/").onmessage = ({ data }) => done(data); }))`)
	if got != "hello" {
		t.Errorf("got message %q", got)
	}
	p.WantNoErrors()
}

// TestClientAddresses: what a WebSocket would not take.
func TestClientAddresses(t *testing.T) {
	t.Parallel()
	server := serveClient(t, `echo "$REQUEST_URI"; cat`)
	p := newClientPage(t, server)
	got := eval[string](p, `(async () => {
		const s = connect("/a?b=c%20d&e=+#part"), { data, origin } = await next(s, "message");
		return [s.url, data, origin].join(" ");
	})()`)
	if want := server.WS + "a?b=c%20d&e=+ /a?b=c%20d&e=+ " + strings.TrimSuffix(server.WS, "/"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
