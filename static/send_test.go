package static_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// watchSends has a page note in sends what it gives to its WebSocket, and in
// socket which that is.
func (p *page) watchSends() {
	p.t.Helper()
	eval[bool](p, `(() => {
		window.sends = [];
		const send = WebSocket.prototype.send;
		WebSocket.prototype.send = function (data) {
			window.socket = this;
			sends.push(typeof data === "string" ? data : new Uint8Array(data));
			send.call(this, data);
		};
		return true;
	})()`)
}

// hexOf prints in hexadecimal each of so many bytes of its input.
func hexOf(counts ...int) string {
	var script strings.Builder
	for _, n := range counts {
		fmt.Fprintf(&script, "head -c %d | od -An -v -tx1 | tr -d ' \\n'\n", n)
	}
	return script.String() + "cat"
}

// TestSendAs: the child reads the bytes that each choice stands for, and the
// choice outlives a reload.
func TestSendAs(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, hexOf(6, 6, 5), "--binary"), "/")
	p.plain()
	p.watchSends()
	p.connect()
	p.send("größ")
	p.received("6772c3b6c39f")
	p.choose("send-as", "binary")
	p.send("größ")
	p.received("6772c3b6c39f")
	p.choose("send-as", "hex")
	p.send("DEad, 0xbe  ,EF 0a")
	p.received("deadbeef0a")
	if kinds := eval[string](p, `sends.map((s) => typeof s).join()`); kinds != "string,object,object" {
		t.Errorf("the messages were sent as %s", kinds)
	}
	p.Do(chromedp.Reload())
	p.Until(`document.body.dataset.state === "closed" && document.getElementById("send-as").value === "hex"`)
	p.Until(`document.getElementById("message").placeholder.includes("de ad be ef")`)
	p.WantNoErrors()
}

// TestBinaryOverChannels: bytes are the child's input as they are; only a text
// is a line.
func TestBinaryOverChannels(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, hexOf(3, 3, 2)), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"))
	p.connect()
	for _, step := range []struct{ way, text, want string }{
		{"text", "ab", "61620a"}, {"binary", "abc", "616263"}, {"hex", "00ff", "00ff"},
	} {
		p.choose("send-as", step.way)
		p.send(step.text)
		p.received(step.want)
	}
	p.WantNoErrors()
}

// TestHexMistakes: a mistake is told, nothing goes, and the text stays to be
// corrected.
func TestHexMistakes(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat", "--binary"), "/")
	p.connect()
	p.choose("send-as", "hex")
	for typed, want := range map[string]string{
		"de ax":                 "“ax” is not hexadecimal",
		"abc":                   "“abc” has half a byte",
		"0x":                    "“0x” is not hexadecimal",
		"00-01":                 "“00-01” is not hexadecimal",
		strings.Repeat("z", 40): "“" + strings.Repeat("z", 20) + "…” is not hexadecimal",
	} {
		p.Do(chromedp.Evaluate[chromedp.Void](`message.value = ""`), chromedp.SendKeys(chromedp.ID("message"), typed))
		p.enter()
		p.Until(fmt.Sprintf(`note.innerText.startsWith("Not sent: ") && note.innerText.includes(%q)`, want))
		if kept := eval[string](p, `message.value`); kept != typed {
			t.Errorf("of %q there is %q in the box", typed, kept)
		}
	}
	p.Do(chromedp.Evaluate[chromedp.Void](`message.value = ""`))
	p.send("6f6b")
	p.received("ok")
	p.wantText("#sent", "1 message, 2 B")
	p.wantText("#note", "")
	p.WantNoErrors()
}

// TestPastedLinesAreOneMessage: the box asks nobody about newlines.
func TestPastedLinesAreOneMessage(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.watchSends()
	p.connect()
	p.Do(chromedp.Focus(chromedp.ID("message")))
	eval[bool](p, `document.execCommand("insertText", false, "one\ntwo\nthree")`)
	p.enter()
	p.received("three")
	p.wantText("#sent", "1 message, 13 B")
	p.WantNoErrors()
}
