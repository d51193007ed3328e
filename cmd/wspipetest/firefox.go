package wspipetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Firefox is a window of Firefox that fails its test. It is driven by WebDriver BiDi
// (https://w3c.github.io/webdriver-bidi/), which needs no driver beside it.
type Firefox struct {
	t       testing.TB
	ctx     context.Context
	ws      *websocket.Conn
	id      int
	context string
}

// quiet keeps Firefox from the network, and from asking anything.
const quiet = `user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.page", 0);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("dom.disable_beforeunload", true);
`

// NewFirefox starts Firefox, and stops it with the test.
func NewFirefox(t testing.TB) *Firefox {
	t.Helper()
	path := Need(t, "firefox-esr")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(quiet), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*Patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", path, "--headless", "--no-remote", "--profile", dir, "--remote-debugging-port=0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	listens := regexp.MustCompile(`ws://\S+`)
	var address string
	for address == "" && lines.Scan() {
		address = listens.FindString(lines.Text())
	}
	drained := make(chan struct{})
	go func() { // ends when Firefox does
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		cmd.Wait()
	})
	ws, _, err := websocket.Dial(ctx, strings.TrimSuffix(address, "/")+"/session", nil)
	if err != nil {
		t.Fatalf("Firefox at %q: %v", address, err)
	}
	ws.SetReadLimit(-1)
	f := &Firefox{t: t, ctx: ctx, ws: ws}
	t.Cleanup(func() { ws.CloseNow() })
	f.call("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	var tree struct{ Contexts []struct{ Context string } }
	f.call("browsingContext.getTree", map[string]any{}, &tree)
	f.context = tree.Contexts[0].Context
	return f
}

// call runs a command and stores its result.
func (f *Firefox) call(method string, params map[string]any, result any) {
	f.t.Helper()
	f.id++
	request, err := json.Marshal(map[string]any{"id": f.id, "method": method, "params": params})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.ws.Write(f.ctx, websocket.MessageText, request); err != nil {
		f.t.Fatal(err)
	}
	for {
		_, answer, err := f.ws.Read(f.ctx)
		if err != nil {
			f.t.Fatalf("%s: %v", method, err)
		}
		var response struct {
			ID             int
			Error, Message string
			Result         json.RawMessage
		}
		if err := json.Unmarshal(answer, &response); err != nil {
			f.t.Fatal(err)
		}
		if response.ID != f.id { // an event
			continue
		}
		if response.Error != "" {
			f.t.Fatalf("%s: %s: %s", method, response.Error, response.Message)
		}
		if result != nil {
			if err := json.Unmarshal(response.Result, result); err != nil {
				f.t.Fatal(err)
			}
		}
		return
	}
}

// Navigate opens url and waits until it has been loaded.
func (f *Firefox) Navigate(url string) {
	f.t.Helper()
	f.call("browsingContext.navigate", map[string]any{"context": f.context, "url": url, "wait": "complete"}, nil)
}

// Reload loads the page again.
func (f *Firefox) Reload() {
	f.t.Helper()
	f.call("browsingContext.reload", map[string]any{"context": f.context, "wait": "complete"}, nil)
}

// Eval stores the value of a JavaScript expression, or of its promise.
func (f *Firefox) Eval(expression string, value any) {
	f.t.Helper()
	var answer struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	f.call("script.evaluate", map[string]any{
		"expression": "(async () => JSON.stringify(await (" + expression + ") ?? null))()", "target": map[string]any{"context": f.context}, "awaitPromise": true,
	}, &answer)
	if err := json.Unmarshal([]byte(answer.Result.Value), value); err != nil {
		f.t.Fatalf("%s: %s %v", expression, answer.ExceptionDetails.Text, err)
	}
}

// Until waits until condition, a JavaScript expression, holds.
func (f *Firefox) Until(condition string) {
	f.t.Helper()
	var text string
	f.Eval(fmt.Sprintf(`new Promise((done) => {
		const late = setTimeout(() => done(document.body.innerText || "late"), %d);
		const look = () => { try { if (%s) { clearTimeout(late); return done(""); } } catch {} setTimeout(look, 20); };
		look();
	})`, Patience.Milliseconds(), condition), &text)
	if text != "" {
		f.t.Fatalf("waiting for %s; the page says:\n%s", condition, text)
	}
}

// Click clicks on the middle of the element of a selector.
func (f *Firefox) Click(selector string) {
	f.t.Helper()
	f.Until(fmt.Sprintf(`document.querySelector(%q)?.getClientRects().length`, selector))
	var at [2]float64
	f.Eval(fmt.Sprintf(`(({ x, y, width, height }) => [Math.floor(x + width / 2), Math.floor(y + height / 2)])(document.querySelector(%q).getBoundingClientRect())`, selector), &at)
	f.ClickAt(at)
}

// ClickAt clicks on a place of the window.
func (f *Firefox) ClickAt(at [2]float64) {
	f.t.Helper()
	f.actions("pointer", []map[string]any{{"type": "pointerMove", "x": at[0], "y": at[1]}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}})
}

// Type types text; "\n" is Enter.
func (f *Firefox) Type(text string) {
	f.t.Helper()
	var all []map[string]any
	for _, char := range strings.ReplaceAll(text, "\n", "\ue007") {
		all = append(all, map[string]any{"type": "keyDown", "value": string(char)}, map[string]any{"type": "keyUp", "value": string(char)})
	}
	f.actions("key", all)
}

func (f *Firefox) actions(device string, actions []map[string]any) {
	f.t.Helper()
	f.call("input.performActions", map[string]any{"context": f.context, "actions": []map[string]any{{"type": device, "id": device, "actions": actions}}}, nil)
}
