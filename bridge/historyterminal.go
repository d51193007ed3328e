package bridge

import (
	"bytes"
	"slices"

	"wspipe/bridge/channel"
	"wspipe/bridge/vt"
)

// terminalHistory is what a history knows about the output of a terminal. Its messages may
// end inside a sequence.
type terminalHistory struct {
	start  vt.State // before the first entry that is held
	prefix []byte   // of each payload: the number of its channel, if there are channels
}

func newTerminalHistory(channels bool) *terminalHistory {
	t := &terminalHistory{start: vt.NewState()}
	if channels {
		t.prefix = []byte{channel.Stdout}
	}
	return t
}

// forget updates the state at the start when e is dropped.
func (t *terminalHistory) forget(e entry) {
	if t != nil {
		t.start.Write(e.payload[len(t.prefix):])
	}
}

// beginTerminal prepares the history for a client that counts from its first message.
// Messages that were sent to a connection before become a replay, which begins with a
// message that sets the modes in effect. Other messages stay unchanged: nothing has replied
// to their queries.
func (h *history) beginTerminal() {
	t := h.terminal
	if t == nil {
		return
	}
	r := vt.NewReplay(&t.start)
	begins := len(t.start.AppendTo(nil)) > 0
	if begins {
		h.entries = slices.Insert(h.entries, 0, entry{payload: slices.Clone(t.prefix), binary: true, begin: true, end: true})
		h.forgotten--
		h.forgottenMessages--
		h.size += h.entries[0].cost()
		h.sent = max(h.sent, h.forgotten+1)
	}
	t.start = vt.NewState()
	var output []byte
	sent := h.entries[:max(0, h.sent-h.forgotten)]
	for i := range sent {
		if i == 0 && begins {
			output = r.Begin(output[:0])
		} else {
			output = r.Append(output[:0], sent[i].payload[len(t.prefix):])
		}
		if i == len(sent)-1 {
			output = r.Flush(r.Finish(output))
		}
		h.rewrite(&sent[i], output)
	}
}

// rewrite replaces the output in e. Clients with channels do not count empty messages, so
// empty output becomes a NUL, which terminals ignore.
func (h *history) rewrite(e *entry, output []byte) {
	n := len(h.terminal.prefix)
	if len(output) == 0 {
		output = []byte{0}
	}
	if bytes.Equal(e.payload[n:], output) {
		return
	}
	h.size -= e.cost()
	e.payload = slices.Concat(e.payload[:n], output)
	h.size += e.cost()
}
