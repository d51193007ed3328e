package bridge

import (
	"sync"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"

	"github.com/coder/websocket"
)

// streams send what a child writes by an outlet.
type streams struct {
	child  Child
	opt    *Options
	stdout *output
	stderr *output // nil if it goes to the log alone
}

// newStreams returns the streams of child: apart for a client with channels, as they are
// for one that gets them so, else as opt.Framing says. broken is told how stdout breaks
// that, and at which byte.
func newStreams(child Child, outlet *sequencer, opt *Options, to encoding, broken func(cause error, position int64)) streams {
	s := streams{child: child, opt: opt}
	if to.channels {
		s.stdout = &output{sequencer: outlet, codec: streamCodec(opt.MaxMessage), typ: websocket.MessageBinary, channel: channel.Stdout}
		if !opt.Terminal {
			s.stderr = &output{sequencer: outlet, codec: streamCodec(opt.MaxMessage), typ: websocket.MessageBinary, channel: channel.Stderr}
		}
		return s
	}
	f := opt.Framing
	if to.body == RawBody {
		f = framing.Bytes
	}
	s.stdout = &output{sequencer: outlet, codec: f.NewCodec(), typ: messageType(f), broken: broken}
	if opt.Framing == framing.JSON {
		s.stdout.stream = "stdout"
		s.stderr = &output{sequencer: outlet, codec: f.NewCodec(), typ: messageType(f), stream: "stderr"}
	}
	return s
}

// messageType returns the type of messages to the client.
func messageType(f framing.Framing) websocket.MessageType {
	if f.Binary() {
		return websocket.MessageBinary
	}
	return websocket.MessageText
}

// streamCodec cuts streams into messages of at most limit bytes, a channel's number
// among them. Zero or less means as long as clients are sure to take.
func streamCodec(limit int64) framing.Codec {
	size := maxStreamMessage
	if limit > 0 {
		size = int(min(int64(size), limit))
	}
	return framing.Chunks(max(1, size-channelRoom))
}

// run sends all that the child writes. What goes to the log alone may take longer,
// as one of tasks; that ends, and is unblocked, by Child.Stop.
func (s *streams) run(tasks *sync.WaitGroup) {
	var sent sync.WaitGroup
	if s.stderr != nil {
		sent.Go(s.sendStderr) // ends and is unblocked as this
	} else {
		logStderr(tasks, s.child, s.opt.Log)
	}
	s.stdout.run(s.child.Stdout())
	sent.Wait()
}

// sendStderr carries stderr to the client and to the log.
func (s *streams) sendStderr() {
	log := lineLogger{log: s.opt.Log, pid: s.child.Pid()}
	s.stderr.run(loggedReader{s.child.Stderr(), &log})
	log.end()
}
