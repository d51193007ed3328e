package static_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// sparse makes a file of n bytes that takes no room, and returns its path.
func sparse(t *testing.T, n int64) string {
	t.Helper()
	path := newFile(t, "sparse.bin", nil)
	if err := os.Truncate(path, n); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFileWaits: of a file larger than the memory no more is read than goes, and
// Cancel stops it; the connection stays good.
func TestFileWaits(t *testing.T) {
	t.Parallel()
	more := filepath.Join(t.TempDir(), "more")
	p := newPage(t, shell(t, `echo ready; until [ -e "`+more+`" ]; do sleep 0.02; done; stdbuf -o0 tr -d '\0'`, "--binary"), "/")
	p.watchSends()
	eval[bool](p, `(() => {
		window.read = 0;
		for (const way of ["arrayBuffer", "stream", "text"]) {
			const was = Blob.prototype[way];
			Blob.prototype[way] = function () { read += this.size; return was.call(this); };
		}
		return true;
	})()`)
	p.connect()
	p.received("ready\n")
	p.openFile(sparse(t, 3<<30))
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.Until(`window.socket?.bufferedAmount > 1 << 20`) // the child reads nothing
	p.Until(`document.activeElement.id === "file-cancel"`)
	p.wantStill(`read`)
	if read := eval[int](p, `read`); read > 64<<20 {
		t.Errorf("%d bytes were read of the file that nobody takes", read)
	}
	if waiting := eval[int](p, `socket.bufferedAmount`); waiting > 1<<20+1<<17 {
		t.Errorf("%d bytes wait in the browser", waiting)
	}
	p.Until(`/MiB of 3.0 GiB$/.test(document.getElementById("file-state").innerText)`)
	p.enter()
	p.wantNote("Cancelled after")
	if err := os.WriteFile(more, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.send("still here")
	p.received("still here")
	p.WantNoErrors()
}

// wantStill waits until a number stays the same for a while.
func (p *page) wantStill(expression string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`((now) => {
		if (now !== window.still?.now) window.still = { now, at: performance.now() };
		return performance.now() - still.at > 300;
	})(%s)`, expression))
}

// TestFileAndEnd: the end of the connection ends the sending, and it is told
// how far that came.
func TestFileAndEnd(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, `head -c 3000000 >/dev/null; exit 3`, "--binary"), "/")
	p.connect()
	path := sparse(t, 1<<30)
	p.openFile(path)
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.wantStatus("exit status 3")
	p.wantNote("The connection ended: of sparse.bin at least")
	p.Until(`document.getElementById("file-panel").hidden && !document.getElementById("file-button").disabled`)
	p.openFile(path)
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.wantNote("Not sent: there is no connection.")
	p.Do(chromedp.Click(chromedp.ID("file-cancel")))
	p.Until(`document.getElementById("file-panel").hidden`)
	p.WantNoErrors()
}

// TestFileAndLoss: a session goes on after its connection is lost, but a file
// does not, since a part of it may be lost.
func TestFileAndLoss(t *testing.T) {
	t.Parallel()
	server := shell(t, "stdbuf -o0 tr -d '\\0'", "--binary", "--resume=1m")
	p := newPage(t, server, "/")
	p.watchSends()
	p.connect()
	p.openFile(sparse(t, 1<<36))
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.Until(`sends.length > 10`)
	p.activate("drop")
	p.wantNote("The connection ended: of sparse.bin at least")
	p.Until(`document.body.dataset.state === "open"`)
	sent := eval[int](p, `sends.length`)
	p.send("line")
	p.received("line")
	if now := eval[int](p, `sends.length`); now != sent+1 {
		t.Errorf("%d messages more were sent, want 1", now-sent)
	}
	p.WantNoErrors()
}

// TestManyLines: a file of many lines goes as the page does other things. It
// measures time, so no other test runs beside it.
func TestManyLines(t *testing.T) {
	t.Parallel()
	const n = 200_000
	p := newPage(t, shell(t, `read -r _ && head -n `+fmt.Sprint(n-1)+` | wc -l; exec cat`), "/") // with an end of its own the connection might come before the note
	p.connect()
	p.openFile(newFile(t, "lines.txt", []byte(strings.Repeat("a line of text\n", n))))
	p.Until(`document.getElementById("file-as").value === "lines"`)
	eval[bool](p, `(() => {
		window.longest = 0;
		let last = performance.now();
		window.beat = setInterval(() => {
			longest = Math.max(longest, performance.now() - last);
			last = performance.now();
		}, 5);
		return true;
	})()`)
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.Until(`!document.getElementById("file-progress").hidden && document.getElementById("file-progress").value > 0.1`)
	p.received(fmt.Sprint(n - 1))
	p.wantNote("Sent lines.txt: 2.9 MiB in 200,000 messages.")
	if longest := eval[float64](p, `(clearInterval(beat), longest)`); longest > 30_000 {
		t.Errorf("the page stood still for %.0f ms", longest)
	} else {
		t.Logf("the page stood still for %.0f ms at most", longest)
	}
	p.WantNoErrors()
}

// drag gives an element of a page an event of dragging files, and reports
// whether the page uses it.
func (p *page) drag(event, selector string, names ...string) bool {
	p.t.Helper()
	return eval[bool](p, fmt.Sprintf(`(() => {
		const dataTransfer = new DataTransfer();
		for (const name of %q.split(" ")) dataTransfer.items.add(new File(["one\ntwo\n"], name));
		return !document.querySelector(%q).dispatchEvent(new DragEvent(%q, { bubbles: true, cancelable: true, dataTransfer }));
	})()`, strings.Join(names, " "), selector, event))
}

// TestDrop: files are dropped on the form, which shows that they can be; beside
// it they do nothing, not even what a browser does with a dropped file.
func TestDrop(t *testing.T) {
	t.Parallel()
	p := newPage(t, shell(t, "cat"), "/")
	p.connect()
	dropping := `document.getElementById("send").classList.contains("drop")`
	plain := eval[string](p, `getComputedStyle(send).outlineStyle`)
	if !p.drag("dragover", "#message", "a.txt") || !eval[bool](p, dropping) {
		t.Error("a file over the form is not welcome")
	}
	if shown := eval[string](p, `getComputedStyle(send).outlineStyle`); shown == plain {
		t.Error("a file over the form is not shown")
	}
	p.drag("dragleave", "#message", "a.txt")
	if eval[bool](p, dropping) {
		t.Error("the form waits for a file that is gone")
	}
	if !p.drag("dragover", "#log", "a.txt") || !p.drag("drop", "#log", "a.txt") || !eval[bool](p, `document.getElementById("file-panel").hidden`) {
		t.Error("a file beside the form is not kept from replacing the page")
	}
	p.drag("dragover", "#send", "a.txt", "b.txt")
	if !p.drag("drop", "#message", "a.txt", "b.txt") || eval[bool](p, dropping) {
		t.Error("the form still waits for a file")
	}
	p.wantText("#file-name", "a.txt, 8 B")
	p.wantNote("One file at a time: this is a.txt.")
	p.Do(chromedp.Click(chromedp.ID("file-send")))
	p.received("one")
	p.received("two")
	p.wantNote("Sent a.txt: 8 B in 2 messages.")
	p.WantNoErrors()
}
