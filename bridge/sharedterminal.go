package bridge

import "wspipe/bridge/vt"

// A program queries its terminal for colours, the position of the cursor and more. If
// several clients passed these queries on to their terminals, all of them would reply. So
// one client gets the output with queries, and the others get it without. A replay contains
// no queries, because they were replied to before.

// oneClientReplies reports whether queries go to one client only.
func (b *broadcast) oneClientReplies() bool { return b.opt.Terminal && !b.opt.ReadOnly }

// terminalReplay returns the replay for a new client; quiet means without queries.
func (b *broadcast) terminalReplay(quiet bool) []byte {
	output, end := b.replayed()
	if quiet {
		return output // b.quiet sends the rest once it is complete
	}
	return end.Flush(output)
}

// replayed returns the replay, and the query filter at its end.
func (b *broadcast) replayed() (output []byte, filter vt.QueryFilter) {
	r := vt.NewReplay(b.replay.terminal)
	output = r.Begin(nil)
	for _, m := range b.replay.messages {
		output = r.Append(output, m.data)
	}
	return r.Finish(output), r.QueryFilter
}

// chooseReplier chooses the client that gets queries: the first one whose window size is
// known, otherwise the first one; clients whose input is discarded do not count. It is called
// between batches. It changes a client's encoding only between sequences, where the output
// with queries and the output without them are at the same position.
func (b *broadcast) chooseReplier() {
	if !b.rechoose || !b.oneClientReplies() {
		return
	}
	if b.quiet == nil && b.hasQuiet() {
		_, filter := b.replayed()
		b.quiet = &filter
	}
	if b.quiet != nil && !b.quiet.AtText() {
		return
	}
	b.rechoose = false
	var replier *broadcastClient
	for _, c := range b.attached {
		if !c.input.discard && (replier == nil || replier.size == WindowSize{} && c.size != WindowSize{}) {
			replier = c
		}
	}
	for _, c := range b.attached {
		b.setQuiet(c, c != replier)
	}
	if !b.hasQuiet() {
		b.quiet = nil
	}
}

func (b *broadcast) hasQuiet() bool {
	for e := range b.encodings {
		if e.quiet {
			return true
		}
	}
	return false
}

func (b *broadcast) setQuiet(c *broadcastClient, quiet bool) {
	if b.encodings[c.encoding]--; b.encodings[c.encoding] == 0 {
		delete(b.encodings, c.encoding)
	}
	c.encoding.quiet = quiet
	b.encodings[c.encoding]++
}

// flushQuiet sends what the filter withholds at the end of the output.
func (b *broadcast) flushQuiet() {
	b.sequencer.begin()
	defer b.sequencer.end()
	if b.quiet == nil {
		return
	}
	rest := b.quiet.Flush(nil)
	for e, encoder := range b.encoders {
		if e.quiet {
			encoder.terminal(rest)
		}
	}
}

// resizeToFit makes the child's terminal fit the windows of all clients.
func (b *broadcast) resizeToFit() error {
	var size WindowSize
	for _, c := range b.attached {
		switch {
		case c.size == WindowSize{}:
		case size == WindowSize{}:
			size = c.size
		default:
			size = WindowSize{Rows: min(size.Rows, c.size.Rows), Cols: min(size.Cols, c.size.Cols)}
		}
	}
	if size == (WindowSize{}) {
		return nil
	}
	return b.child.Resize(size)
}
