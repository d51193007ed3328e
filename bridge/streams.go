package bridge

import (
	"sync"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"

	"github.com/coder/websocket"
)

// streams send a child's output through a sequencer.
type streams struct {
	child  Child
	opt    *Options
	stdout *output
	stderr *output // nil if it is only logged
}

// newStreams returns the streams of child: on channels or unchanged if the encoding requires
// that, otherwise split as opt.Framing defines. broken is called with an error of the framing
// of stdout and its position.
func newStreams(child Child, seq *sequencer, opt *Options, to encoding, broken func(cause error, position int64)) streams {
	s := streams{child: child, opt: opt}
	if to.channels {
		s.stdout = &output{sequencer: seq, codec: streamCodec(opt.MaxMessage), typ: websocket.MessageBinary, channel: channel.Stdout}
		if !opt.Terminal {
			s.stderr = &output{sequencer: seq, codec: streamCodec(opt.MaxMessage), typ: websocket.MessageBinary, channel: channel.Stderr}
		}
		return s
	}
	f := opt.Framing
	if to.body == RawBody {
		f = framing.Bytes
	}
	s.stdout = &output{sequencer: seq, codec: f.NewCodec(), typ: messageType(f), broken: broken}
	if opt.Framing == framing.JSON {
		s.stdout.stream = "stdout"
		s.stderr = &output{sequencer: seq, codec: f.NewCodec(), typ: messageType(f), stream: "stderr"}
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

// streamCodec splits a stream into messages of at most limit bytes, including the channel
// byte. Zero or less means maxStreamMessage.
func streamCodec(limit int64) framing.Codec {
	size := maxStreamMessage
	if limit > 0 {
		size = int(min(int64(size), limit))
	}
	return framing.Chunks(max(1, size-channelRoom))
}

// start starts logging stderr if it is only logged, as one of tasks, which ends with stderr
// and is unblocked by Child.Stop.
func (s *streams) start(tasks *sync.WaitGroup) {
	if s.stderr == nil {
		logStderr(tasks, s.child, s.opt.Log)
	}
}

// await calls f, in its own goroutine, once run has something to send or the child has
// exited.
func (s *streams) await(f func()) {
	if stdout, ok := s.child.Stdout().(awaiter); ok && s.stderr == nil {
		stdout.Await(f)
	} else {
		go f()
	}
}

// run sends the child's output.
func (s *streams) run() {
	var sent sync.WaitGroup
	if s.stderr != nil {
		sent.Go(s.sendStderr) // ends with stderr; unblocked by Child.Stop
	}
	s.stdout.run(s.child.Stdout())
	sent.Wait()
}

// sendStderr sends stderr to the client and logs it.
func (s *streams) sendStderr() {
	log := lineLogger{log: s.opt.Log, pid: s.child.Pid()}
	s.stderr.run(loggedReader{s.child.Stderr(), &log})
	log.end()
}
