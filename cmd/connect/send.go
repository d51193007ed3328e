package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// maxBufferedLine is the length in bytes above which a line is sent before its end is read.
const maxBufferedLine = 64 << 10

// sendStdin sends stdin until it ends or the connection ends.
func (s *clientConn) sendStdin() {
	for {
		var err error
		switch s.netConn.Out.Hold(); {
		case s.raw.Load():
			err = s.sendKeys()
		case s.channels || s.Binary:
			err = s.sendBytes(s.input.pending)
		default:
			err = s.sendLines()
		}
		if s.netConn.Out.Release(); err != nil {
			return
		}
		if s.input.ended {
			s.sendEOF()
			return
		}
		if !s.input.next(s.done) {
			return
		}
	}
}

// sendEOF closes the child's stdin, if the subprotocol can.
func (s *clientConn) sendEOF() {
	if err := s.input.err; err != nil && err != io.EOF {
		s.Notice(fmt.Sprintf("cannot read stdin: %v", innermost(err)))
		s.input.err = io.EOF // report it once
	}
	if s.protocol == channel.ProtocolWspipe || s.protocol == channel.ProtocolV5 {
		s.ws.Write(context.Background(), websocket.MessageBinary, []byte{channel.Close, channel.Stdin})
	}
	if s.eofSent.Store(true); s.eofTimer != nil {
		s.eofTimer.Reset(s.EOFTimeout)
	}
}

// commit waits until the kernel has the sent bytes, then keeps only rest pending. If the
// connection is lost before, the next connection sends all of it again.
func (s *clientConn) commit(rest []byte) error {
	s.netConn.Out.Release()
	if err := s.netConn.Out.WaitTaken(); err != nil {
		return err
	}
	s.input.keep(rest)
	return nil
}

// sendBytes sends p unchanged. p is pending, or replaces it.
func (s *clientConn) sendBytes(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), maxPayload)
		s.message = append(s.message[:1], p[:n]...)
		message := s.message
		if !s.channels {
			message = message[1:]
		}
		if err := s.ws.Write(context.Background(), websocket.MessageBinary, message); err != nil {
			return err
		}
		p = p[n:]
	}
	return s.commit(nil)
}

// sendKeys sends typed keys. It exits at escapeLine.
func (s *clientConn) sendKeys() error {
	keys, exit := s.escapeFilter.filter(nil, s.input.pending)
	err := s.sendBytes(keys)
	if exit {
		err = fmt.Errorf("connection closed by %s", escapeLine)
		s.exit(result{status: StatusFailed, err: err})
	}
	return err
}

// sendLines sends each pending line as a message. An incomplete line stays pending, unless
// it is longer than maxBufferedLine.
func (s *clientConn) sendLines() error {
	rest := s.input.pending
	if s.input.midMessage && s.line == nil { // an earlier connection sent its beginning
		_, after, found := bytes.Cut(rest, []byte("\n"))
		if rest = after; !found && !s.input.ended {
			return s.commit(nil)
		}
		s.input.midMessage = false
	}
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			break
		}
		if err := s.sendLine(bytes.TrimSuffix(line, []byte("\r"))); err != nil {
			return err
		}
		rest = after
	}
	var err error
	switch {
	case s.input.ended && (len(rest) > 0 || s.line != nil):
		err, rest = s.sendLine(rest), nil
	case len(rest) > maxBufferedLine:
		rest, err = s.sendPart(rest)
	}
	if err == nil {
		err = s.commit(rest)
	}
	if err == nil {
		s.input.midMessage = s.line != nil
	}
	return err
}

// sendLine sends a line, or the end of a line whose parts have been sent.
func (s *clientConn) sendLine(line []byte) error {
	if s.line == nil {
		return s.ws.Write(context.Background(), lineType(line), line)
	}
	_, err := s.line.Write(line)
	err = errors.Join(err, s.line.Close())
	s.line = nil
	return err
}

// sendPart sends part of a line and returns the rest: a final \r, which may be part of the
// line ending.
func (s *clientConn) sendPart(part []byte) (rest []byte, err error) {
	n := len(bytes.TrimSuffix(part, []byte("\r")))
	if s.line == nil {
		if s.line, err = s.ws.Writer(context.Background(), lineType(part[:n])); err != nil {
			s.line = nil
			return part, err
		}
	}
	_, err = s.line.Write(part[:n])
	return part[n:], err
}

// lineType returns the message type for a line, of which line may be only the beginning. A
// text message must be valid UTF-8.
func lineType(line []byte) websocket.MessageType {
	if utf8.Valid(line) || len(line) > maxBufferedLine && utf8.Valid(line[:lastRune(line)]) {
		return websocket.MessageText
	}
	return websocket.MessageBinary
}

// lastRune returns the index of the last character of p, which may be incomplete.
func lastRune(p []byte) int {
	n := len(p) - 1
	for n > 0 && len(p)-n < utf8.UTFMax && !utf8.RuneStart(p[n]) {
		n--
	}
	return n
}
