//go:build unix

package static_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestFirefox: the main path, with a session that outlives a reload, a terminal, and frames.
func TestFirefox(t *testing.T) {
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
}

// TestFirefoxFlood: Firefox queues all that a server sends. So the page has the server
// pause, answers clicks, and shows what is new. A line has the time at which it was written.
func TestFirefoxFlood(t *testing.T) {
	wspipetest.Need(t, "perl")
	timed := strings.Replace(flood, `" of a flood, in some fifty bytes\n"`, `" at ", int(time * 1000), ", in some fifty bytes\n"`, 1)
	f := firefox(t, shell(t, timed))
	f.Click("#connect")
	f.Until(`document.activeElement.id === "message"`)
	var tab [2]float64
	f.Eval(`(() => {
		window.late = [];
		window.age = [];
		document.querySelector("#messages-tab").addEventListener("click", ({ timeStamp }) => requestAnimationFrame(() => late.push(performance.now() - timeStamp)));
		window.beat = setInterval(() => {
			const [, at] = /at (\d{13}),/.exec([...document.querySelectorAll("#log .in .text")].at(-1)?.textContent) ?? [];
			if (at) age.push(Date.now() - at);
		}, 200);
		const { x, y, width, height } = document.querySelector("#messages-tab").getBoundingClientRect();
		return [Math.floor(x + width / 2), Math.floor(y + height / 2)];
	})()`, &tab)
	f.Type("go\n")
	pause := time.Tick(50 * time.Millisecond)
	clicks := 0
	for begun := time.Now(); time.Since(begun) < 10*time.Second; <-pause {
		f.ClickAt(tab)
		clicks++
	}
	f.Until(`document.querySelector("#log .card")`)
	var late, age []float64
	f.Eval(`(clearInterval(beat), late)`, &late)
	f.Eval(`age`, &age)
	slices.Sort(late)
	slices.Sort(age)
	if len(late) < clicks/2 || len(age) == 0 {
		t.Fatalf("of %d clicks the page has seen %d; %d rows", clicks, len(late), len(age))
	}
	summary := fmt.Sprintf("%d clicks, median %.0f ms, p95 %.0f ms; rows at most %.0f ms late", len(late), late[len(late)/2], late[len(late)*95/100], age[len(age)-1])
	if late[len(late)/2] > 100 || age[len(age)-1] > 10_000 {
		t.Error(summary)
	}
	t.Log(summary)
}
