//go:build unix

package bridge

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// resumableChild is a running Resumable child.
type resumableChild struct {
	*resumable
	*puppet
	t     testing.TB
	link  link // of its clients
	ended chan bool
}

// startResumable runs a session, which is ended when the test ends.
func startResumable(t testing.TB, l link, opt Options) *resumableChild {
	t.Helper()
	if opt.Buffer == 0 {
		opt.Buffer = 1 << 20
	}
	if opt.Grace == 0 {
		opt.Grace = time.Hour
	}
	opt.Kind, opt.Channels = Resumable, l.protocol != ""
	child := newPuppet(t)
	b := New(child, opt)
	return &resumableChild{b.kind.(*resumable), child, t, l, run(t, b)}
}

// reattach attaches a client that has counted after messages.
func (r *resumableChild) reattach(after int64) *attachedClient {
	r.t.Helper()
	return attach(r.t, r.Bridge, r.link, ClientOptions{After: after})
}

// refuse attaches a client that has counted after messages, which must fail with want.
func (r *resumableChild) refuse(after int64, want error) {
	r.t.Helper()
	c, to := connect(r.t, r.link)
	if _, err := r.Attach(to, ClientOptions{After: after}); err != want {
		r.t.Errorf("after %d: %v, want %v", after, err, want)
	}
	c.Close()
	to.conn().Abort()
	<-to.conn().Closed()
}

func (r *resumable) stateNow() resumeState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// TestTakeover: the rest of the older client's input is dropped, on all channels.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for _, l := range []link{{}, onWspipe} {
		r := startResumable(t, l, Options{InputTimeout: -1})
		r.readAll()
		older := r.reattach(-1)
		say := func(c *attachedClient, text string) {
			if l.protocol != "" {
				text = "\x00" + text + "\n"
			}
			c.write(maskedFrame(fin|opBinary, []byte(text)))
		}
		say(older, "whole")
		wspipetest.Eventually(t, "it is received", func() bool { return older.input.total.total().Messages == 1 })
		older.write(maskedFrame(opBinary, make([]byte, 3*wire.BlockSize))) // the beginning of a message
		newer := r.reattach(-1)
		older.write(maskedFrame(fin|wire.OpContinuation, []byte("message")))
		say(older, "late")
		older.say(channel.Control, `{"type":"signal","signal":"INT"}`)
		older.say(channel.Close, "\x00")
		older.expectClose(4010, "attached elsewhere")
		if sum := older.summary(); sum.End != endTakeover {
			t.Errorf("the older ends with %+v", sum.End)
		}
		if l.protocol != "" {
			newer.say(channel.Control, `{"type":"signal","signal":"HUP"}`)
			if got := wspipetest.Wait(t, "a signal", r.told); got != "signal HUP" {
				t.Errorf("the child gets %q", got)
			}
		}
		say(newer, "new")
		newer.write(closeFrame(1000, ""))
		if got := string(wspipetest.Wait(t, "the child's input", r.input)); got != "whole\nnew\n" {
			t.Errorf("the child has read %q", got)
		}
	}
}

// TestResumeDoesNotMixInput: what a lost client has sent, and the child has not read yet, does not follow what the
// client sends once it is attached again.
func TestResumeDoesNotMixInput(t *testing.T) {
	t.Parallel()
	r := startResumable(t, link{}, Options{InputTimeout: -1})
	a := r.reattach(-1)
	a.write(bytes.Repeat(maskedFrame(fin|opText, []byte(x(1000))), 2*maxInputBacklog/1000))
	wspipetest.Eventually(t, "the client has to wait", func() bool { return r.stdin.Waiting() > maxInputBacklog })
	a.Reset()
	a.summary() // does not wait for the child
	if s := r.stateNow(); s != detached {
		t.Fatalf("%s", stateNames[s])
	}
	r.expire() // has no effect: as if the timer had fired before the client was lost
	b := r.reattach(-1)
	b.send("new")
	r.readAll()
	b.write(closeFrame(1000, ""))
	got := string(wspipetest.Wait(t, "the child's input", r.input))
	if !strings.HasSuffix(got, "\nnew\n") || strings.Trim(got, "x\n") != "new" {
		t.Errorf("the child's input ends with %.2000q", got[max(0, len(got)-2000):])
	}
}

// TestResumeReportsBrokenFraming to a client that was not attached, after the messages before that.
func TestResumeReportsBrokenFraming(t *testing.T) {
	t.Parallel()
	r := startResumable(t, link{}, Options{Framing: framing.LSP})
	r.reattach(-1).lose()
	r.print("Content-Length: 4\r\n\r\ngoodContent-Size: 3\r\n\r\nbad")
	wspipetest.Eventually(t, "its end is kept", func() bool { return !r.Kept().IsZero() })
	a := r.reattach(0)
	a.expect("good")
	a.expectClose(1011, "bad lsp output: header without Content-Length")
}
