//go:build unix

package static_test

import (
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// firefox opens the console of server in Firefox.
func firefox(t *testing.T, server *wspipetest.Server) *wspipetest.Firefox {
	t.Helper()
	f := wspipetest.NewFirefox(t)
	f.Navigate(strings.Replace(server.WS, "ws", "http", 1))
	f.Until(`document.body.dataset.state === "closed" && document.querySelector("#facts li")`)
	return f
}

// TestFirefox: the main path, with a session that outlives a reload, a terminal, frames,
// and a flood.
func TestFirefox(t *testing.T) {
	t.Parallel()
	f := firefox(t, shell(t, `seq 9; read -r a; echo "got $a"; echo oops >&2; exit 3`, "--resume=1m"))
	f.Click("#connect")
	f.Until(`[...document.querySelectorAll("#log .in .text")].at(-1)?.textContent === "9" && document.activeElement.id === "message"`)
	f.Reload()
	f.Until(`document.querySelector("#log").innerText.includes("resumed, 9 replayed")`)
	f.Click("#message")
	f.Type("größer\n")
	f.Until(`[...document.querySelectorAll("#log .in .text")].some((e) => e.textContent === "got größer")`)
	f.Until(`document.querySelector("#log .card")?.innerText.includes("exit status 3") && document.querySelector("#log .card").innerText.includes("stderr: oops")`)
	f.Click("#inspect")
	f.Until(`document.querySelector("#code-inspector pre").textContent.includes('ws.send("größer")')`)

	f.Click("#wire-inspector-tab")
	f.Until(`document.querySelector(".frames")`)
	f.Click("#log .again")
	f.Until(`[...document.querySelectorAll(".frames .row")].some((row) => row.textContent.includes("HTTP/1.1 101"))`)
	f.Click("#message")
	f.Type("du\n")
	f.Until(frame("close") + `.textContent.includes('reason="exit 3" begun=server')`)
	f.Eval(frame("close")+`.querySelector("[data-field=code]").click()`, new(any))
	f.Until(`document.querySelector(".meaning").textContent.includes("Close code 1000") && document.querySelector(".diagram .marked").textContent === "close code 1000"`)

	f.Navigate(strings.Replace(bash(t).WS, "ws", "http", 1))
	f.Until(`document.querySelector(".xterm-rows")`)
	f.Click("#connect")
	const screen = `document.querySelector(".xterm-rows").innerText.replaceAll("\u00a0", " ")`
	f.Until(screen + `.includes("> ")`)
	f.Type("echo $((6*7)) words; exit 4\n")
	f.Until(screen + `.includes("42 words") && ` + screen + `.includes("[Program ended: exit status 4]")`)

	wantFlood(t, f)
}

// wantFlood: Firefox queues all that a server sends. So the page has the server pause, and answers
// clicks before the end.
func wantFlood(t *testing.T, f *wspipetest.Firefox) {
	wspipetest.Need(t, "perl")
	f.Navigate(strings.Replace(shell(t, strings.ReplaceAll(flood, "200_000", "50_000")).WS, "ws", "http", 1))
	f.Until(`document.body.dataset.state === "closed" && document.querySelector("#facts li")`)
	f.Click("#connect")
	f.Until(`document.activeElement.id === "message"`)
	var tab [2]float64
	f.Eval(`(() => {
		window.clicks = 0;
		document.querySelector("#messages-tab").addEventListener("click", () => {
			if (document.body.dataset.state === "open") clicks++;
		});
		const { x, y, width, height } = document.querySelector("#messages-tab").getBoundingClientRect();
		return [Math.floor(x + width / 2), Math.floor(y + height / 2)];
	})()`, &tab)
	f.Type("go\n")
	for range 20 {
		f.ClickAt(tab)
	}
	f.Click("#message")
	f.Type("end\n")
	f.Until(`document.querySelector("#log .card")?.innerText.match(/in all \d/)`)
	var clicks int
	f.Eval(`clicks`, &clicks)
	if clicks != 20 {
		t.Errorf("of 20 clicks %d were answered", clicks)
	}
}
