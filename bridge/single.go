package bridge

// single is a child of one client. The client attaches before Run.
type single struct {
	*Bridge
	client  *Client
	streams streams
}

func (s *single) attach(c *Client, opt ClientOptions) error {
	s.client = c
	if opt.NoStdin {
		c.closeStdin()
	}
	c.transport.sendHello()
	s.streams = newStreams(s.child, &c.sequencer, &s.opt, c.encoding, s.brokenFraming)
	s.streams.start(&s.tasks)
	c.attachment = &singleAttachment{direct{c}}
	return nil
}

func (s *single) awaitOutput(f func()) { s.streams.await(f) }

func (s *single) carryOutput() { s.streams.run() }

func (s *single) reportExit() { s.client.reportExit() }

func (s *single) clients() []*Client { return []*Client{s.client} }

func (s *single) end(e End) { s.client.finish(e) }

// singleAttachment is the attachment of the client of a single child.
type singleAttachment struct{ direct }

func (a *singleAttachment) detach() { a.bridge.Stop() }

func (a *singleAttachment) awaitInput() { a.bridge.child.Stop() }

func (a *singleAttachment) endInput() error { return a.closeStdin() }

// direct is what attachments have in common whose clients write to the child's stdin
// directly.
type direct struct{ *Client }

func (d direct) receive()                 { d.transport.receive() }
func (d direct) start()                   {}
func (d direct) closed()                  {}
func (d direct) awaitInput()              {}
func (d direct) sent() Traffic            { return d.sequencer.total.total() }
func (d direct) signal(name string) error { return d.bridge.child.Signal(name) }

func (d direct) resize(size WindowSize) error {
	if !d.opt.Terminal {
		return nil
	}
	return d.bridge.child.Resize(size)
}
