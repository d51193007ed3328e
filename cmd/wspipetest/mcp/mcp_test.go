//go:build unix

package mcp_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) { os.Exit(wspipetest.Main(m)) }

// bridges are the examples, by the interpreter that they need.
var bridges = map[string]string{"python3": "python/mcp.py", "node": "node/mcp.js"}

// eachBridge runs a test with the SDK's example server behind each bridge. The server
// writes its process ID to pidFile.
func eachBridge(t *testing.T, test func(t *testing.T, server *wspipetest.Server, pidFile string)) {
	t.Parallel()
	for interpreter, bridge := range bridges {
		t.Run(bridge, func(t *testing.T) {
			t.Parallel()
			wspipetest.Need(t, interpreter)
			server, pidFile := start(t, bridge)
			test(t, server, pidFile)
		})
	}
}

func start(t *testing.T, bridge string) (server *wspipetest.Server, pidFile string) {
	t.Helper()
	bridge, err := filepath.Abs(filepath.Join("../../../examples", bridge))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "hello")
	out, err := exec.Command("go", "build", "-o", program, "github.com/modelcontextprotocol/go-sdk/examples/server/hello").CombinedOutput()
	if err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	pidFile = filepath.Join(dir, "pid")
	return wspipetest.Start(t, "--share=mux", "--linger=-1", "--http", "--subprotocol=mcp",
		bridge, "sh", "-c", `echo $$ > "$1"; exec "$2"`, "sh", pidFile, program), pidFile
}

func connect(t *testing.T, server *wspipetest.Server) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: "http" + strings.TrimPrefix(server.WS, "ws")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

// greet calls the tool greet.
func greet(t *testing.T, session *mcp.ClientSession, name string) error {
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "greet", Arguments: map[string]any{"name": name}})
	if err != nil {
		return err
	}
	if text, ok := result.Content[0].(*mcp.TextContent); !ok || text.Text != "Hi "+name {
		return fmt.Errorf("got %+v, want a greeting of %s", result.Content[0], name)
	}
	return nil
}

// TestStreamableHTTP: clients that count their requests alike each get their own responses
// from one server.
func TestStreamableHTTP(t *testing.T) { eachBridge(t, testStreamableHTTP) }

func testStreamableHTTP(t *testing.T, server *wspipetest.Server, _ string) {
	var clients sync.WaitGroup
	for i := range 5 {
		session := connect(t, server)
		if got := session.InitializeResult().ProtocolVersion; got != "2026-07-28" {
			t.Errorf("got revision %s", got)
		}
		tools, err := session.ListTools(t.Context(), nil)
		if err != nil || len(tools.Tools) != 1 || tools.Tools[0].Name != "greet" {
			t.Errorf("got %+v, %v", tools, err)
		}
		clients.Go(func() { // ends with its requests
			for k := range 10 {
				if err := greet(t, session, fmt.Sprintf("%d-%d", i, k)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	if _, err := connect(t, server).CallTool(t.Context(), &mcp.CallToolParams{Name: "none"}); err == nil {
		t.Error("there is a tool called none")
	}
}

// TestRestart: the session of a client outlives the server.
func TestRestart(t *testing.T) { eachBridge(t, testRestart) }

func testRestart(t *testing.T, server *wspipetest.Server, pidFile string) {
	session := connect(t, server)
	for range 3 {
		if err := greet(t, session, "Ada"); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(pidFile)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		wspipetest.Eventually(t, "the server is gone", func() bool { return syscall.Kill(pid, 0) != nil })
	}
	if err := greet(t, session, "Ada"); err != nil {
		t.Error(err)
	}
}
