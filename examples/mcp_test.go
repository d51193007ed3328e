//go:build unix

package examples_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// mcpServer is a stdio server with a few methods, and no more of the protocol.
const mcpServer = `
import json, sys
def write(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    method, id, params = message["method"], message.get("id"), message.get("params", {})
    meta = params.get("_meta", {})
    if method == "echo":
        write(id=id, result=params["text"])
    elif method == "work":
        write(method="notifications/progress", params={"progressToken": meta["progressToken"], "progress": 1})
        write(id=id, result="done")
    elif method == "subscriptions/listen":
        write(method="notifications/tools/list_changed", params={"_meta": {"io.modelcontextprotocol/subscriptionId": id}})
    elif method == "initialize":
        write(id=id, result="welcome")
    elif method == "exit":
        sys.exit()
    elif method == "notifications/news":
        write(method="notifications/message", params={"data": "news"})
    print(method, id if id is not None else json.dumps(params), file=sys.stderr, flush=True)
`

var mcpBridges = []string{"python/mcp.py", "node/mcp.js"}

// eachMCP runs a test with each bridge for that server.
func eachMCP(t *testing.T, test func(t *testing.T, server *wspipetest.Server)) {
	t.Parallel()
	for _, name := range mcpBridges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startMCP(t, name))
		})
	}
}

func startMCP(t *testing.T, name string) *wspipetest.Server {
	t.Helper()
	bridge := example(t, name)
	file := filepath.Join(t.TempDir(), "server.py")
	if err := os.WriteFile(file, []byte(mcpServer), 0o600); err != nil {
		t.Fatal(err)
	}
	return wspipetest.Start(t, "--share=mux", "--linger=-1", "--http", "--subprotocol=mcp", bridge, wspipetest.Need(t, "python3"), file)
}

// post sends a message by HTTP and returns the response.
func post(ctx context.Context, t *testing.T, server *wspipetest.Server, message string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", "http"+strings.TrimPrefix(server.WS, "ws"), strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return http.DefaultClient.Do(req)
}

func wantPosted(t *testing.T, server *wspipetest.Server, message, want string) {
	t.Helper()
	resp, err := post(t.Context(), t, server, message)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || compact(string(body)) != compact(want) {
		t.Errorf("%.80s: got %d %q, %v, want %q", message, resp.StatusCode, body, err, want)
	}
}

// compact returns lines of JSON without the blanks that one language writes and another does not.
func compact(lines string) string {
	return strings.NewReplacer(": ", ":", ", ", ",").Replace(strings.TrimSpace(lines))
}

// expectJSON wants these messages to be the next ones.
func (c client) expectJSON(messages ...string) {
	c.t.Helper()
	for _, want := range messages {
		if got := c.Next(); compact(got) != compact(want) {
			c.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func dialMCP(t *testing.T, server *wspipetest.Server) client {
	t.Helper()
	c := client{wspipetest.Dial(t, server.WS, &websocket.DialOptions{Subprotocols: []string{"mcp"}}), t}
	if c.Subprotocol() != "mcp" {
		t.Fatalf("got subprotocol %q", c.Subprotocol())
	}
	return c
}

// TestMCP: clients may use the same IDs and tokens.
func TestMCP(t *testing.T) { eachMCP(t, testMCP) }

func testMCP(t *testing.T, server *wspipetest.Server) {
	ada, bob := dialMCP(t, server), dialMCP(t, server)
	const listen = `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen"}`
	const changed = `{"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": "s"}}}`
	ada.Send(listen)
	ada.expectJSON(changed)
	bob.Send(listen)
	bob.expectJSON(changed)
	for _, text := range []string{"a", "b"} {
		message := `{"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"` + text + `"}}`
		want := `{"jsonrpc": "2.0", "id": 1, "result": "` + text + `"}`
		ada.Send(message)
		bob.Send(strings.ReplaceAll(message, ":1,", `:"x",`))
		wantPosted(t, server, message, want)
		ada.expectJSON(want)
		bob.expectJSON(strings.ReplaceAll(want, "1", `"x"`))
	}
	const progress = `{"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "t", "progress": 1}}`
	work := `{"jsonrpc":"2.0","id":1,"method":"work","params":{"_meta":{"progressToken":"t"}}}`
	ada.Send(work)
	ada.expectJSON(progress, `{"jsonrpc": "2.0", "id": 1, "result": "done"}`)
	wantPosted(t, server, work, progress+"\n"+`{"jsonrpc": "2.0", "id": 1, "result": "done"}`)
	wantPosted(t, server, `{"jsonrpc":"2.0","method":"notifications/news"}`, "")
	for _, c := range []client{ada, bob} {
		c.expectJSON(`{"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "news"}}`)
	}
	for _, wrong := range []string{"", "x", "1", "[]", `{"id":1}`, `{"id":1,"method":"echo","params":[]}`, strings.Repeat("[", 100000), "\xff"} {
		wantPosted(t, server, wrong, `{"jsonrpc": "2.0", "error": {"code": -32600, "message": "not a JSON-RPC message"}, "id": null}`)
	}
}

// TestMCPHandshake: a server of an older revision makes it once, whoever its clients
// are, and again after it has died.
func TestMCPHandshake(t *testing.T) { eachMCP(t, testMCPHandshake) }

func testMCPHandshake(t *testing.T, server *wspipetest.Server) {
	for range 2 {
		c := dialMCP(t, server)
		c.Send(`{"jsonrpc":"2.0","id":0,"method":"initialize"}`)
		c.expectJSON(`{"jsonrpc": "2.0", "id": 0, "result": "welcome"}`)
		c.Send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	for run := 1; run < 4; run++ {
		wantPosted(t, server, `{"jsonrpc":"2.0","id":"e","method":"exit"}`, `{"jsonrpc": "2.0", "error": {"code": -32603, "message": "the server has exited"}, "id": "e"}`)
		wantPosted(t, server, `{"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"again"}}`, `{"jsonrpc": "2.0", "id": 1, "result": "again"}`)
		for _, method := range []string{"initialize", "notifications/initialized"} {
			line := "line=\"" + method + " "
			server.AwaitStderrFunc(line, func(stderr string) bool { return strings.Count(stderr, line) == run+1 })
		}
	}
}

// TestMCPCancels what nobody waits for any more.
func TestMCPCancels(t *testing.T) { eachMCP(t, testMCPCancels) }

func testMCPCancels(t *testing.T, server *wspipetest.Server) {
	const wait = `{"jsonrpc":"2.0","id":"w","method":"wait"}`
	c := dialMCP(t, server)
	c.Send(wait, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}`, wait)
	server.AwaitStderr(`notifications/cancelled {\"requestId\": 1}`)
	server.AwaitStderr(`line="wait 2"`)
	c.CloseNow()
	server.AwaitStderr(`notifications/cancelled {\"requestId\": 2}`)
	ctx, cancel := context.WithCancel(t.Context())
	posted := make(chan error, 1)
	go func() { // ends when ctx is done
		_, err := post(ctx, t, server, wait)
		posted <- err
	}()
	server.AwaitStderr(`line="wait 3"`)
	cancel()
	server.AwaitStderr(`notifications/cancelled {\"requestId\": 3}`)
	if err := <-posted; err == nil {
		t.Error("there is a response")
	}
}
