package bridge

import "wspipe/bridge/vt"

// A program queries its terminal for colours, the position of the cursor and more. If
// several clients showed these queries to their terminals, all of them would reply. So
// one client gets the output with queries, and the others without. A replay never
// contains queries: they have had their reply.

// oneClientReplies reports whether queries go to one client only.
func (h *broadcast) oneClientReplies() bool { return h.opt.Terminal && !h.opt.ReadOnly }

// terminalReplay returns the replay for a new client.
func (h *broadcast) terminalReplay(quiet bool) []byte {
	output, end := h.replayed()
	if quiet {
		return output // h.quiet sends the rest once it is complete
	}
	return end.Flush(output)
}

// replayed returns the replay, and the filter at its end.
func (h *broadcast) replayed() (output []byte, filter vt.QueryFilter) {
	r := vt.NewReplay(h.replay.terminal)
	output = r.Begin(nil)
	for _, m := range h.replay.messages {
		output = r.Append(output, m.data)
	}
	return r.Finish(output), r.QueryFilter
}

// chooseReplier picks the client that gets queries: the first whose window size is
// known, else the first; clients whose input is dropped do not count. It is called
// between bursts, and changes the form of a client only between sequences, where the
// forms with and without queries are at the same point.
func (h *broadcast) chooseReplier() {
	if !h.rechoose || !h.oneClientReplies() {
		return
	}
	if h.quiet == nil && h.hasQuiet() {
		_, filter := h.replayed()
		h.quiet = &filter
	}
	if h.quiet != nil && !h.quiet.AtText() {
		return
	}
	h.rechoose = false
	var replier *broadcastClient
	for _, v := range h.attached {
		if !v.input.discard && (replier == nil || replier.size == WindowSize{} && v.size != WindowSize{}) {
			replier = v
		}
	}
	for _, v := range h.attached {
		h.setQuiet(v, v != replier)
	}
	if !h.hasQuiet() {
		h.quiet = nil
	}
}

func (h *broadcast) hasQuiet() bool {
	for f := range h.encodings {
		if f.quiet {
			return true
		}
	}
	return false
}

func (h *broadcast) setQuiet(v *broadcastClient, quiet bool) {
	if h.encodings[v.encoding]--; h.encodings[v.encoding] == 0 {
		delete(h.encodings, v.encoding)
	}
	v.encoding.quiet = quiet
	h.encodings[v.encoding]++
}

// flushQuiet sends what the filter withholds at the end of the output.
func (h *broadcast) flushQuiet() {
	h.sequencer.begin()
	defer h.sequencer.end()
	if h.quiet == nil {
		return
	}
	rest := h.quiet.Flush(nil)
	for f, p := range h.encoders {
		if f.quiet {
			p.terminal(rest)
		}
	}
}
