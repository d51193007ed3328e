package examples_test

import (
	"net/url"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

var muxChats = []string{"bash/muxchat.sh", "python/muxchat.py", "node/muxchat.js"}

// muxChat starts a chat room in one process.
func muxChat(t *testing.T, name string, flags ...string) *wspipetest.Server {
	t.Helper()
	if name == "bash/muxchat.sh" {
		wspipetest.Need(t, "jq")
	}
	return wspipetest.Start(t, append(append([]string{"--share=mux"}, flags...), example(t, name))...)
}

// dialAs joins a chat room under a name.
func dialAs(t *testing.T, server *wspipetest.Server, name string) client {
	t.Helper()
	return client{wspipetest.Dial(t, server.WS+"?x=y&name="+url.QueryEscape(name), nil), t}
}

func TestMuxChat(t *testing.T) {
	t.Parallel()
	for _, name := range muxChats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := muxChat(t, name)
			ada := dialAs(t, server, "ada")
			ada.Expect("* here: ada", "* ada joined")
			bob := dialAs(t, server, "bob")
			bob.Expect("* here: ada, bob", "* bob joined")
			third := dial(t, server)
			third.Expect("* here: ada, bob, client 3", "* client 3 joined")
			ada.Expect("* bob joined", "* client 3 joined")
			bob.Expect("* client 3 joined")

			ada.Send("@bob pssst ☃", "hello \x1b[1m")
			ada.Expect("ada to bob: pssst ☃", "ada: hello [1m")
			bob.Expect("ada to bob: pssst ☃", "ada: hello [1m")
			third.Expect("ada: hello [1m")
			if err := bob.Write(bob.Ctx, websocket.MessageBinary, []byte{0xff}); err != nil {
				t.Fatal(err)
			}
			third.Expect("bob: (not text)")
			bob.CloseNow()
			ada.Expect("bob: (not text)", "* bob left")
			third.Expect("* bob left")
			ada.Send("@bob lost", "@", "")
			ada.Expect("ada to bob: lost", "ada to : ", "ada: ")
			third.Expect("ada: ")
		})
	}
}

func TestMuxChatPage(t *testing.T) {
	t.Parallel()
	ada := browser(t)
	bob := ada.open()
	server := muxChat(t, "python/muxchat.py", "--origin=null")
	address := fromDisk(t, "muxchat.html", server.WS)

	join := func(b tab, name string) {
		t.Helper()
		b.do(chromedp.Navigate(address))
		b.untilShown("state", "not connected")
		b.enter(name)
		b.untilShown("state", "open")
	}
	join(ada, "ada & <b>eve</b>")
	said := "* here: ada & <b>eve</b>\n* ada & <b>eve</b> joined"
	ada.untilShown("log", said)
	join(bob, "bob")
	said += "\n* bob joined"
	ada.untilShown("log", said)

	bob.enter("hello, <img src=x onerror=alert(1)> " + long)
	ada.until("document.getElementById('log').lastChild.textContent", "bob: hello, <img src=x onerror=alert(1)> "+long)
	ada.enter("@bob pssst")
	bob.untilShown("log", "* here: ada & <b>eve</b>, bob\n* bob joined\nbob: hello, <img src=x onerror=alert(1)> "+long+"\nada & <b>eve</b> to bob: pssst")
	ada.until("document.querySelector('#log .private').textContent", "ada & <b>eve</b> to bob: pssst")
	third := dialAs(t, server, "third")
	third.Expect("* here: ada & <b>eve</b>, bob, third", "* third joined")
	ada.until("String(document.querySelectorAll('#log img, #log b').length)", "0")

	bob.do(chromedp.Navigate("about:blank"))
	third.Expect("* bob left")
	server.Signal(syscall.SIGTERM)
	server.Wait()
	ada.untilShown("state", "closed 1001 server shutting down")
	ada.untilShown("send", "Join")
}

// long is a word that fits in no window.
const long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"

func TestMuxChatPageRefused(t *testing.T) {
	t.Parallel()
	b := browser(t)
	server := muxChat(t, "python/muxchat.py")
	b.do(chromedp.Navigate(fromDisk(t, "muxchat.html", server.WS)))
	b.enter("ada")
	b.untilShown("state", "closed 1006")
	b.untilShown("command", "wspipe --port=8080 --origin=null --share=mux ./examples/python/muxchat.py")
	b.do(chromedp.Navigate(fromDisk(t, "muxchat.html", "http:// ")))
	b.enter("ada")
	b.until("document.getElementById('state').className", "failed")
}
