package static_test

import "testing"

// TestReconnect: a page can have its connection dropped and made again at once;
// nothing is lost or comes twice, and what was to be sent waits for it.
func TestReconnect(t *testing.T) {
	t.Parallel()
	p, r := onRelay(t, answering)
	p.run(`
		window.counts = [];
		socket.addEventListener("resumed", () => counts.push(socket.received));
		socket.send("a")`)
	p.Until(`socket.received === 2`)
	p.run(`socket.reconnect(); socket.send("b")`)
	p.Until(`counts.length === 1`)
	p.Until(`messages(socket).slice(1).join() === ["got a", "got b"].join()`)

	r.refuse(true)
	p.Until(`socket.log.filter((l) => l.startsWith("reconnecting")).length >= 2`)
	r.refuse(false) // nor does it wait for the next attempt
	p.run(`socket.reconnect(); socket.send("c")`)
	p.Until(`messages(socket).slice(1).join() === ["got a", "got b", "got c"].join()`)

	p.run(`socket.addEventListener("reconnecting", () => socket.close(), { once: true }); socket.reconnect()`)
	p.Until(`socket.readyState === 3`) // and not opened again
	for _, call := range []string{`socket`, `watch(url, { key: "early" })`, `watch(url, { resume: false })`} {
		if got := eval[string](p, `String(attempt(() => `+call+`.reconnect()))`); got != "InvalidStateError" {
			t.Errorf("%s.reconnect(): %s", call, got)
		}
	}
	p.WantNoErrors()
}
