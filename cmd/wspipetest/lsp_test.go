//go:build unix

package wspipetest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// gopls is Go's language server: the last version that the Go of go.mod builds.
const gopls = "golang.org/x/tools/gopls@v0.23.0"

// installGopls returns the path of gopls.
func installGopls(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "install", gopls)
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", gopls, err, out)
	}
	return filepath.Join(dir, "gopls")
}

// startGopls runs it with a home of its own, in which it keeps no record of how
// it was used.
func startGopls(t *testing.T) *wspipetest.Server {
	t.Helper()
	path, home := installGopls(t), t.TempDir()
	writeFiles(t, home, map[string]string{".config/go/telemetry/mode": "off"})
	cmd := exec.Command(wspipetest.Binary(t), "--port=0", "--framing=lsp", "--passenv=PATH,HOME,GOCACHE", path)
	cmd.Env = append(os.Environ(), "HOME="+home, "GOCACHE="+filepath.Join(home, "cache"), "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=")
	return wspipetest.StartCommand(t, cmd)
}

// rpc is a message of JSON-RPC, on which the protocol rests.
type rpc struct {
	Version string          `json:"jsonrpc"`
	ID      any             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// editor is a client that speaks to a language server.
type editor struct {
	*wspipetest.Client
	t       *testing.T
	calls   int
	longest int // message that has come, in bytes
}

func (e *editor) send(m rpc) {
	e.t.Helper()
	m.Version = "2.0"
	body, err := json.Marshal(m)
	if err != nil {
		e.t.Fatal(err)
	}
	e.Send(string(body))
}

// next returns the next message, which must be text, one body, and nothing but
// that. It answers what the server asks for.
func (e *editor) next() (m rpc) {
	e.t.Helper()
	typ, body, err := e.Read(e.Ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := json.Unmarshal(body, &m); err != nil || typ != websocket.MessageText || m.Version != "2.0" {
		e.t.Fatalf("got a message of type %v that is no body: %v\n%.1000q", typ, err, body)
	}
	e.longest = max(e.longest, len(body))
	if m.ID != nil && m.Method != "" {
		e.send(rpc{ID: m.ID, Result: json.RawMessage("null")})
	}
	return m
}

// call sends a request and returns its result.
func (e *editor) call(method string, params any) json.RawMessage {
	e.t.Helper()
	e.calls++
	e.send(rpc{ID: e.calls, Method: method, Params: params})
	for {
		m := e.next()
		if id, ok := m.ID.(float64); !ok || m.Method != "" || int(id) != e.calls {
			continue
		}
		if m.Error != nil {
			e.t.Fatalf("%s: %s", method, m.Error)
		}
		return m.Result
	}
}

// diagnostics waits until the server has complaints about a file, and returns them.
func (e *editor) diagnostics(uri string) string {
	e.t.Helper()
	for {
		m := e.next()
		if m.Method != "textDocument/publishDiagnostics" {
			continue
		}
		about := m.Params.(map[string]any)
		if list, ok := about["diagnostics"].([]any); ok && len(list) > 0 && about["uri"] == uri {
			return fmt.Sprint(list)
		}
	}
}

type object = map[string]any

// TestALanguageServer: an editor opens a large file that has a mistake in it,
// and is told so; both sides send messages that no buffer holds.
func TestALanguageServer(t *testing.T) {
	t.Parallel()
	const functions = 6000
	var source strings.Builder
	fmt.Fprint(&source, "package main\n\nfunc main() { var n int = \"no number\"; _ = n }\n")
	for i := range functions {
		fmt.Fprintf(&source, "\n// f%d does nothing, and this is said of it.\nfunc f%[1]d() {}\n", i)
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"go.mod": "module example.org/wrong\n\ngo 1.26\n", "main.go": source.String()})
	uri := "file://" + filepath.Join(dir, "main.go")

	e := &editor{Client: dial(t, startGopls(t).WS), t: t}
	e.call("initialize", object{"processId": nil, "rootUri": "file://" + dir, "capabilities": object{}})
	e.send(rpc{Method: "initialized", Params: object{}})
	e.send(rpc{Method: "textDocument/didOpen", Params: object{
		"textDocument": object{"uri": uri, "languageId": "go", "version": 1, "text": source.String()}}})
	if got := e.diagnostics(uri); !strings.Contains(got, `cannot use "no number"`) {
		t.Errorf("got other diagnostics: %s", got)
	}
	var symbols []object
	if err := json.Unmarshal(e.call("textDocument/documentSymbol", object{"textDocument": object{"uri": uri}}), &symbols); err != nil {
		t.Fatal(err)
	}
	if len(symbols) != functions+1 {
		t.Errorf("the file has %d functions, want %d", len(symbols), functions+1)
	}
	if source.Len() < 300_000 || e.longest < 300_000 {
		t.Errorf("the longest messages have %d and %d bytes, which is no test", source.Len(), e.longest)
	}
	e.call("shutdown", nil)
	e.send(rpc{Method: "exit"})
	e.ExpectEnd(websocket.StatusNormalClosure, "exit 0")
}
