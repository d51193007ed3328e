package static_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
	"wspipe/static"
)

// TestClientOutsideBrowsers plays testdata/runtimes.mjs in each runtime that has
// WebSockets of its own.
func TestClientOutsideBrowsers(t *testing.T) {
	t.Parallel()
	server := wspipetest.Start(t, "--resume=1m", "/bin/sh", "-c", `echo ready; while read -r line; do case $line in end) exit 3;; esac; echo "got $line"; done`)
	for _, test := range []struct{ name, packages, program string }{
		{"Node", "", wspipetest.Need(t, "node") + " --experimental-websocket --no-warnings"},
		{"Node 22", "node@22.23.3", "node_modules/.bin/node"},
		{"Deno", "deno@2.9.6", "node_modules/.bin/deno run --allow-net --allow-env"},
		{"Bun", "bun@1.4.5", "node_modules/.bin/bun"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.packages == "" {
				wspipetest.NeedNodeWebSocket(t)
			}
			dir := t.TempDir()
			script, err := os.ReadFile("testdata/runtimes.mjs")
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "runtimes.mjs"), string(script))
			write(t, filepath.Join(dir, "client.js"), string(static.ClientModule))
			write(t, filepath.Join(dir, "package.json"), `{"type":"module"}`)
			if test.packages != "" {
				wspipetest.NPMInstall(t, dir, test.packages)
			}
			network := newRelay(t, server)
			words := append(strings.Fields(test.program), "runtimes.mjs", network.WS, "ws://"+nobody(t)+"/")
			ctx, cancel := context.WithTimeout(t.Context(), 2*wspipetest.Patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, words[0], words[1:]...)
			cmd.Dir, cmd.Stderr = dir, t.Output()
			stdout, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			lines := bufio.NewScanner(stdout)
			for _, want := range []string{
				"open 1", "ready",
				"reconnecting 1 1 after 1006", "reconnecting 1 2 after 1006", "resumed 1", "got two", "close 3 1000 exit 3 true true CloseEvent",
				"error 3", "close 3 1006  false true CloseEvent",
				"error 3", "close 3 1006  false true CloseEvent",
				"error 3", "close 3 1006  false true CloseEvent",
				"SyntaxError",
			} {
				again := lines.Scan()
				for again && want == "resumed 1" && strings.HasPrefix(lines.Text(), "reconnecting 1 ") { // before the relay let it through
					again = lines.Scan()
				}
				if lines.Text() != want {
					t.Fatalf("got %q, want %q", lines.Text(), want)
				}
				switch want {
				case "ready":
					network.refuse(true)
				case "reconnecting 1 2 after 1006":
					network.refuse(false)
				}
			}
			if lines.Scan() {
				t.Errorf("got %q after the end", lines.Text())
			}
		})
	}
}
