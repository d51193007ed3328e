package static_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// newFile writes a file for a page to send.
func newFile(t *testing.T, name string, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// random returns n bytes, always the same ones, that are no text.
func random(n int) []byte {
	content := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(content)
	return content
}

// digest prints the checksum of the next n bytes of its input.
func digest(n int) string { return fmt.Sprintf("head -c %d | sha256sum", n) }

// openFile gives a page a file, as its file dialog does, and waits for the panel.
func (p *page) openFile(path string) {
	p.t.Helper()
	p.Do(chromedp.SetUploadFiles(chromedp.ID("file"), []string{path}))
	p.Until(fmt.Sprintf(`document.activeElement.id === "file-send" && document.querySelector("#file-name").innerText.startsWith(%q)`, filepath.Base(path)))
}

// wantNote waits until the note says this.
func (p *page) wantNote(text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`note.innerText.includes(%q)`, text))
}

// TestSendFile: 5 MB get to a child that reads bytes, whole, in either way.
func TestSendFile(t *testing.T) {
	t.Parallel()
	content := random(5_000_000)
	path, want := newFile(t, "random.bin", content), fmt.Sprintf("%x  -", sha256.Sum256(content))
	p := newPage(t, shell(t, digest(len(content))+";"+digest(len(content))+"; cat", "--binary", "--maxframesize=8MiB"), "/")
	p.plain()
	p.watchSends()
	p.connect()
	for n, messages := range map[string]int{"one": 1, "pieces": 77} {
		eval[bool](p, `(sends.length = 0, true)`)
		p.openFile(path)
		p.wantText("#file-name", "random.bin, 4.8 MiB")
		p.choose("file-as", n)
		p.Do(chromedp.Click(chromedp.ID("file-send")))
		p.received(want + "\n")
		p.wantNote(fmt.Sprintf("Sent random.bin: 4.8 MiB in %d message", messages))
		p.Until(`document.getElementById("file-panel").hidden`)
		if got := eval[int](p, `sends.length`); got != messages {
			t.Errorf("%s are %d messages, want %d", n, got, messages)
		}
		if n == "pieces" && eval[int](p, `sends.findIndex((s) => s.length !== 65536)`) != messages-1 {
			t.Error("not all pieces but the last have 64 KiB")
		}
		p.activate("clear")
	}
	p.WantNoErrors()
}

// oddLines is a file with all that lines may be: empty, ended by CR LF, with a CR
// within, a BOM, not UTF-8, longer than what is read of a file at once, and without an end.
func oddLines() []byte {
	return slices.Concat([]byte("\ufeffone\r\n\n\r\nt\rwo\ngrö\xdfe\n"), bytes.Repeat([]byte("long "), 300_000), []byte("\r\nlast"))
}

// TestSendLines: each line of a file is a message, without its end, and the child
// gets the bytes of each.
func TestSendLines(t *testing.T) {
	t.Parallel()
	content := oddLines()
	want := append(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")), '\n')
	p := newPage(t, shell(t, digest(len(want))+"; cat", "--maxframesize=2MiB"), "/")
	p.plain()
	p.watchSends()
	p.connect()
	p.openFile(newFile(t, "odd.txt", content))
	p.choose("file-as", "lines")
	p.Do(chromedp.KeyEvent(kb.Tab))
	p.enter()
	p.received(fmt.Sprintf("%x  -", sha256.Sum256(want)))
	p.wantNote("Sent odd.txt: 1.4 MiB in 7 messages.")
	if got := eval[string](p, `sends.map((s) => typeof s === "string" ? s.slice(0, 6) : "bytes").join("|")`); got != "\ufeffone|||t\rwo|bytes|long l|last" {
		t.Errorf("the messages are %q", got)
	}
	p.Until(`document.activeElement.id === "message"`) // to go on by typing
	p.WantNoErrors()
}

// TestFileOverChannels: stdin is the file, to the byte; by lines, each has its newline.
func TestFileOverChannels(t *testing.T) {
	t.Parallel()
	content := oddLines()
	lined := append(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")), '\n')
	p := newPage(t, shell(t, strings.Join([]string{digest(len(content)), digest(len(content)), digest(len(lined)), "cat"}, ";"), "--maxframesize=2MiB"), "/")
	p.Do(chromedp.SendKeys(chromedp.ID("subprotocols"), "v1.wspipe"))
	p.connect()
	path := newFile(t, "odd.txt", content)
	for _, step := range []struct {
		way  string
		want []byte
	}{{"pieces", content}, {"one", content}, {"lines", lined}} {
		p.openFile(path)
		if step.way == "pieces" {
			p.Until(`document.getElementById("file-as").value === "pieces"`)
		}
		p.choose("file-as", step.way)
		p.Do(chromedp.Click(chromedp.ID("file-send")))
		p.wantNote("Sent odd.txt: 1.4 MiB")
		p.received(fmt.Sprintf("%x  -\n", sha256.Sum256(step.want)))
		p.activate("clear")
	}
	p.WantNoErrors()
}

// TestFileDefaults: the way that is offered is the one that the program can read.
func TestFileDefaults(t *testing.T) {
	t.Parallel()
	text, noText := newFile(t, "text", []byte("größer\n")), newFile(t, "noText", []byte{0xff, 0, 1})
	// 64 KiB are looked at, which here end inside a character.
	cut := newFile(t, "cut", []byte(strings.Repeat("x", 1<<16-1)+"ö\n"))
	for flag, want := range map[string]string{
		"--framing=lines": "lines one lines", "--framing=json": "lines one lines", "--framing=length": "one one one",
		"--binary": "pieces pieces pieces", "--pty": "pieces pieces pieces",
	} {
		p := newPage(t, shell(t, "cat", flag), "/")
		p.Do(chromedp.Click(chromedp.ID("messages-tab"))) // of a terminal, the other view comes first
		var got []string
		for _, path := range []string{text, noText, cut} {
			p.openFile(path)
			got = append(got, eval[string](p, `document.getElementById("file-as").value`))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("with %s files are sent as %s, want %s", flag, got, want)
		}
		p.WantNoErrors()
	}
}

// TestFileTooBig: one message that is longer than the server takes is warned of,
// and can be sent all the same.
func TestFileTooBig(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat", "--maxframesize=1KiB"), "/")
	p.connect()
	path := newFile(t, "big.bin", random(2000))
	p.openFile(path)
	p.wantText("#file-state", "The server takes 1.0 KiB: it would end the connection.")
	p.choose("file-as", "pieces")
	p.wantText("#file-state", "")
	p.choose("file-as", "lines")
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.wantNote("Sent big.bin")
	p.openFile(newFile(t, "long.txt", bytes.Repeat([]byte("x"), 2000)))
	p.choose("file-as", "lines")
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.wantNote("long.txt was not sent to its end: line 1 is too long for one message")
	p.openFile(path)
	p.choose("file-as", "one")
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.wantStatus("Message too big", "1009")
	p.WantNoErrors()
}
