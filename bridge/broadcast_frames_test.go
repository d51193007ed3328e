//go:build unix

package bridge

import (
	"fmt"
	"testing"
	"time"

	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestNothingAfterACloseFrame: a batch for all clients that is sent while one of them is
// disconnected does not follow its close frame.
func TestNothingAfterACloseFrame(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(v *broadcastConn){
		"client":         func(v *broadcastConn) { v.write(closeFrame(1000, "")) },
		"us":             func(v *broadcastConn) { v.Shutdown() },
		"protocol error": func(v *broadcastConn) { v.write(maskedFrame(fin|0x40|opText, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := startBroadcast(t, newPuppet(t), Options{}).join(link{}, Options{})
			end(v)
			if f, err := v.frame(); f.first != fin|wire.OpClose {
				t.Fatalf("no close frame: %#x, %v", f.first, err)
			}
			v.deliver(&wire.Batch{Frames: []byte("\x81\x04late"), Messages: 1}) // as to a client that has just disconnected
			v.Write(maskedFrame(fin|wire.OpClose, nil))                         // fails if it was a reply
			if f, err := v.frame(); err == nil {
				t.Errorf("after the close frame: %#x %q", f.first, f.payload)
			}
		})
	}
}

// TestALongReplayIsNotSlow: a replay may be longer than a client may be behind, even while
// more output follows.
func TestALongReplayIsNotSlow(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const lines, width = 35, 100_000
			child := newPuppet(t)
			b := startBroadcast(t, child, Options{Replay: lines, Slow: policy})
			for i := range lines {
				child.print(t, fmt.Sprintf("%0*d\n", width, i))
			}
			b.idle(lines)
			v := b.join(link{buffers: 64 << 10}, Options{})
			for i := range 5 {
				child.print(t, fmt.Sprintf("%0*d\n", width, lines+i))
			}
			b.idle(lines + 5)
			for i := range lines + 5 {
				v.expect(fmt.Sprintf("%0*d", width, i))
			}
		})
	}
}

// idle waits until this many messages were sent.
func (a *broadcastChild) idle(messages int64) {
	a.t.Helper()
	wspipetest.Eventually(a.t, "everything is sent", func() bool { return a.sequencer.total.messages.Load() == messages })
	a.sequencer.mu.Lock() // until all clients have them
	defer a.sequencer.mu.Unlock()
}

// TestManySmallMessagesWait: queued messages for a client that reads late cost no more each
// if there are many.
func TestManySmallMessagesWait(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const messages = 200_000
			wspipetest.Soon(t, 5*time.Second, func() time.Duration {
				w := &held{release: make(chan struct{})}
				o := wire.NewQueue(w)
				began := time.Now()
				for range messages {
					o.WriteBatch(&wire.Batch{Frames: []byte("\x81\x01x"), Messages: 1, Whole: true})
					if policy == SlowDrop {
						o.DropBatches(messages)
					}
				}
				close(w.release)
				o.Wait(0)
				o.Close()
				return time.Since(began)
			})
		})
	}
}

// held is a writer that blocks until release is closed.
type held struct{ release chan struct{} }

func (h *held) Write(p []byte) (int, error) { <-h.release; return len(p), nil }
func (h *held) Close() error                { return nil }
