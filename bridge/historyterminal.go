package bridge

import (
	"bytes"
	"slices"

	"wspipe/bridge/channel"
	"wspipe/bridge/vt"
)

// terminalHistory is what a journal knows about a terminal's output, whose messages may
// end inside a sequence.
type terminalHistory struct {
	start  vt.State // before the first entry that is held
	prefix []byte   // of each payload: its channel, if there are channels
}

func newTerminalHistory(channels bool) *terminalHistory {
	t := &terminalHistory{start: vt.NewState()}
	if channels {
		t.prefix = []byte{channel.Stdout}
	}
	return t
}

// forget moves the start past e.
func (t *terminalHistory) forget(e entry) {
	if t != nil {
		t.start.Write(e.payload[len(t.prefix):])
	}
}

// beginTerminal prepares the history for a client that counts from its first message.
// What has been handed to a connection before becomes a replay, preceded by a message
// that sets the modes in effect. What has not stays as it is: its queries have had no
// reply.
func (j *history) beginTerminal() {
	t := j.terminal
	if t == nil {
		return
	}
	r := vt.NewReplay(&t.start)
	begins := len(t.start.AppendTo(nil)) > 0
	if begins {
		j.entries = slices.Insert(j.entries, 0, entry{payload: slices.Clone(t.prefix), binary: true, begin: true, end: true})
		j.forgotten--
		j.forgottenMessages--
		j.size += j.entries[0].cost()
		j.sent = max(j.sent, j.forgotten+1)
	}
	t.start = vt.NewState()
	var output []byte
	history := j.entries[:max(0, j.sent-j.forgotten)]
	for i := range history {
		if i == 0 && begins {
			output = r.Begin(output[:0])
		} else {
			output = r.Append(output[:0], history[i].payload[len(t.prefix):])
		}
		if i == len(history)-1 {
			output = r.Flush(r.Finish(output))
		}
		j.rewrite(&history[i], output)
	}
}

// rewrite replaces the output in e. Clients with channels do not count empty messages,
// so an empty one becomes a NUL, which terminals ignore.
func (j *history) rewrite(e *entry, output []byte) {
	n := len(j.terminal.prefix)
	if len(output) == 0 {
		output = []byte{0}
	}
	if bytes.Equal(e.payload[n:], output) {
		return
	}
	j.size -= e.cost()
	e.payload = slices.Concat(e.payload[:n], output)
	j.size += e.cost()
}
