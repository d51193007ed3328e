//go:build unix

package wspipetest_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// TestPythonClient: a client that nobody here wrote, Debian's
// python3-websockets.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	s := wspipetest.Start(t, "/bin/sh", "-c", "seq 5; read l; echo got $l")
	out, err := exec.Command(wspipetest.PythonWebsockets(t), "-c", `
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as ws:
        await ws.send("hello")
        try:
            while True:
                print(await ws.recv())
        except websockets.ConnectionClosed as e:
            print(e.rcvd.code, e.rcvd.reason)
asyncio.run(main())`, s.WS).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := string(out), "1\n2\n3\n4\n5\ngot hello\n1000 exit 0\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestConnectToOtherServers: servers that select the first subprotocol offered,
// as these do by default, get lines.
func TestConnectToOtherServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wspipetest.NPMInstall(t, dir, "ws@8.18.3", "bun@1.4.5")
	for runtime, script := range map[string]string{
		wspipetest.Need(t, "node"): `
			const { WebSocketServer } = require("ws");
			const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => console.log(server.address().port));
			server.on("connection", (ws) => ws.on("message", (data) => { ws.send("got " + data); ws.close(); }));`,
		filepath.Join(dir, "node_modules/.bin/bun"): `
			const message = (ws, data) => { ws.send("got " + data); ws.close(); };
			console.log(Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request, server) => void server.upgrade(request), websocket: { message } }).port);`,
	} {
		server := exec.CommandContext(t.Context(), runtime, "-e", script)
		server.Dir, server.Stderr = dir, t.Output()
		port := wspipetest.FirstLine(t, server)
		if status, out, errs := connected(t, "hi\n", "ws://127.0.0.1:"+port+"/"); status != 0 || out != "got hi\n" || errs != "" {
			t.Errorf("%s: status %d, %q, %q", runtime, status, out, errs)
		}
	}
}

// TestAClientWhoseHostVanishes: the link to another machine, faked by a
// network namespace, goes down without a word.
func TestAClientWhoseHostVanishes(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "ip")
	const ns = "wspipetest"
	network := [][]string{
		{"netns", "add", ns},
		{"link", "add", "wspipetest0", "type", "veth", "peer", "name", "wspipetest1", "netns", ns},
		{"addr", "add", "10.213.7.1/30", "dev", "wspipetest0"},
		{"link", "set", "wspipetest0", "up"},
		{"-n", ns, "addr", "add", "10.213.7.2/30", "dev", "wspipetest1"},
		{"-n", ns, "link", "set", "wspipetest1", "up"},
	}
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", ns).Run()
		exec.Command("ip", "link", "del", "wspipetest0").Run()
	})
	for _, args := range network {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			wspipetest.LackPermission(t, "ip "+strings.Join(args, " "), out)
		}
	}
	for _, child := range []string{"sleep 1000", "yes"} {
		s := wspipetest.Start(t, "--address=10.213.7.1", "--pingms=1000", "/bin/sh", "-c", "echo $$; exec "+child)
		client := exec.Command("ip", "netns", "exec", ns, "python3", "-c", `
import socket, sys
host, port = sys.argv[1].split("/")[2].split(":")
s = socket.create_connection((host, int(port)))
s.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
f = s.makefile("rb")
while f.readline().strip(): pass
n = f.read(2)[1]
print(f.read(n).decode(), flush=True)
while True: f.read(1)`, s.WS)
		out, err := client.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("the client got nothing: %v\n%s", err, s.Stderr())
		}
		link := func(state string) {
			if out, err := exec.Command("ip", "link", "set", "wspipetest0", state).CombinedOutput(); err != nil {
				t.Fatalf("ip link set %s: %s", state, out)
			}
		}
		link("down")
		pid := atoi(t, strings.TrimSpace(line))
		until(t, "the child of a vanished client is gone", func() bool { return gone(-pid) })
		client.Process.Kill()
		client.Wait()
		link("up")
	}
}
