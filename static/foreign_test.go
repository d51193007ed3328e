package static_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// connectTo types an address and presses Enter.
func (p *page) connectTo(address string) {
	p.t.Helper()
	p.Do(chromedp.Evaluate[chromedp.Void](`address.value = ""`), chromedp.SendKeys(chromedp.ID("address"), address))
	p.enter()
}

// TestWebsocketd: the page talks to the program that wspipe comes after.
func TestWebsocketd(t *testing.T) {
	t.Parallel()
	path, address := wspipetest.Need(t, "websocketd"), nobody(t)
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command(path, "--address=127.0.0.1", "--port="+port, "--loglevel=fatal", "/bin/sh", "-c", `echo hello; read -r x; echo "got $x"`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	p := newPage(t, shell(t, "cat"), "/")
	// It listens a moment after its start.
	p.Until(fmt.Sprintf(`(() => { fetch("http://%s/", { mode: "no-cors" }).then(() => window.listens = true, () => {}); return window.listens; })()`, address))
	p.connectTo("ws://" + address + "/")
	p.received("hello")
	p.Until(`document.querySelector("#facts").childElementCount === 0`)
	p.send("größer")
	p.received("got größer")
	p.wantStatus("Connection lost", "1006") // it sends no close frame
}

// TestPythonServer: and to one that was made for something else, at a path with a
// query, with subprotocols, text and binary.
func TestPythonServer(t *testing.T) {
	t.Parallel()
	port := wspipetest.FirstLine(t, exec.Command(wspipetest.PythonWebsockets(t), "-c", `
import asyncio, sys, websockets

async def talk(ws, path=None):
    await ws.send(f"{path or ws.path} {ws.subprotocol}")
    async for message in ws:
        if message == "bye":
            await ws.close(3456, "so long")
        await ws.send(message[::-1])

async def main():
    async with websockets.serve(talk, "127.0.0.1", 0, subprotocols=["loud", "quiet"]) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())`))
	p := newPage(t, shell(t, "cat"), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "quiet"))
	p.connectTo("127.0.0.1:" + port + "/a?b=c")
	p.received("/a?b=c quiet")
	p.send("abc")
	p.received("cba")
	p.Do(chromedp.SendKeys(chromedp.ID("send-as"), "Hex"))
	p.send("00 ff 41")
	p.Until(`[...document.querySelectorAll("#log .in")].some((e) => e.innerText.includes("41 ff 00"))`)
	p.Do(chromedp.SendKeys(chromedp.ID("send-as"), "Text"))
	p.send("bye")
	p.wantStatus("Closed by the server", "3456", "so long")
	p.WantNoErrors()
}

// TestServerOfNothing: a server that says nothing at all, one that breaks off, and
// one that has channels only by name.
func TestServerOfNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"v1.wspipe"}})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		if r.URL.Path == "/breaks" {
			return
		}
		if ws.Subprotocol() != "" {
			ws.Write(r.Context(), websocket.MessageText, []byte("no channel"))
			for _, message := range []string{"", "\x05", "\x05{", "\x05null", "\x05\"exit\"", "\x05[{}]", "\x05{\"type\":\"exit\"}", "\x63what", "\x01last"} {
				ws.Write(r.Context(), websocket.MessageBinary, []byte(message))
			}
		}
		ws.Read(r.Context()) // until the page closes
	}))
	t.Cleanup(server.Close)
	ws := strings.Replace(server.URL, "http", "ws", 1)
	p := newPage(t, shell(t, "cat"), "/")
	p.connectTo(ws + "/silent")
	p.wantStatus("Connected")
	p.Do(chromedp.Click(chromedp.ID("connect")))
	p.wantStatus("Disconnected")
	p.connectTo(ws + "/breaks")
	p.wantStatus("Connection lost", "1006")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"))
	p.connectTo(ws + "/channels")
	p.received("last")
	p.received("no channel")
	p.Until(`document.querySelector("#log [data-tag='channel 99']").textContent === "what"`)
	p.WantNoErrors()
}
