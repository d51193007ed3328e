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

// maxBufferedLine is from which length on a line is sent before its end is known, in
// bytes.
const maxBufferedLine = 64 << 10

// sendStdin sends stdin until it ends, or the connection.
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

// sendEOF tells the program that stdin has ended, where there are words for that.
func (s *clientConn) sendEOF() {
	if err := s.input.err; err != nil && err != io.EOF {
		s.Notice(fmt.Sprintf("cannot read stdin: %v", innermost(err)))
		s.input.err = io.EOF // that was told
	}
	if s.protocol == channel.ProtocolWspipe || s.protocol == channel.ProtocolV5 {
		s.ws.Write(context.Background(), websocket.MessageBinary, []byte{channel.Close, channel.Stdin})
	}
	if s.eofSent.Store(true); s.eofTimer != nil {
		s.eofTimer.Reset(s.EOFTimeout)
	}
}

// commit waits until the kernel has what was sent, and then forgets it but for
// rest. If the connection is lost before, all of it goes to the next one.
func (s *clientConn) commit(rest []byte) error {
	s.netConn.Out.Release()
	if err := s.netConn.Out.WaitTaken(); err != nil {
		return err
	}
	s.input.keep(rest)
	return nil
}

// sendBytes sends p, which is what is pending or stands for it, as it is.
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

// sendKeys sends what was typed, and heeds what is for us.
func (s *clientConn) sendKeys() error {
	keys, leave := s.escapeFilter.filter(nil, s.input.pending)
	err := s.sendBytes(keys)
	if leave {
		err = fmt.Errorf("connection closed by %s", escapeLine)
		s.exit(result{status: StatusFailed, err: err})
	}
	return err
}

// sendLines sends each line that is pending as a message. What is no line yet
// stays pending, unless it is too long for that.
func (s *clientConn) sendLines() error {
	rest := s.input.pending
	if s.input.midMessage && s.line == nil { // its beginning went to an earlier connection
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

// sendLine sends a line, or the end of the one whose parts have been sent. Bytes
// that are not UTF-8 cannot be text.
func (s *clientConn) sendLine(line []byte) error {
	if s.line == nil {
		return s.ws.Write(context.Background(), lineType(line), line)
	}
	_, err := s.line.Write(line)
	err = errors.Join(err, s.line.Close())
	s.line = nil
	return err
}

// sendPart sends part of a line. It leaves a final \r, which may belong to the
// line's end.
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

// lineType returns the type of the message that begins with, or is, line.
func lineType(line []byte) websocket.MessageType {
	if utf8.Valid(line) || len(line) > maxBufferedLine && utf8.Valid(line[:lastRune(line)]) {
		return websocket.MessageText
	}
	return websocket.MessageBinary
}

// lastRune returns where the last character of p begins, which may be cut.
func lastRune(p []byte) int {
	n := len(p) - 1
	for n > 0 && len(p)-n < utf8.UTFMax && !utf8.RuneStart(p[n]) {
		n--
	}
	return n
}
