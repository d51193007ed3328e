package trace

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

var opNames = map[byte]string{opContinuation: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}

const (
	// maxShown is how much of a payload is shown, in bytes. All of a control frame is.
	maxShown = 200
	// maxHeader is the size of the longest frame header.
	maxHeader = 14
)

// frameState is the current frame of a stream.
type frameState struct {
	header    [maxHeader]byte
	headerLen int
	complete  bool   // header is complete
	length    uint64 // of the payload
	seen      uint64 // of the payload
	payload   []byte // its beginning, unmasked
}

// inFrame reports whether a part of a frame has been received.
func (s *stream) inFrame() bool { return s.frame.headerLen > 0 }

// headerSize returns the size of the header, as far as its first bytes tell.
func (f *frameState) headerSize() int {
	size := 2
	if f.headerLen < size {
		return size
	}
	switch f.header[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.masked() {
		size += 4
	}
	return size
}

func (f *frameState) masked() bool { return f.header[1]&0x80 != 0 }
func (f *frameState) opcode() byte { return f.header[0] & 0x0f }
func (f *frameState) fin() bool    { return f.header[0]&0x80 != 0 }
func (f *frameState) rsv1() bool   { return f.header[0]&0x40 != 0 }
func (f *frameState) control() bool {
	return f.opcode()&0x8 != 0
}

// mask returns the masking key, or nil.
func (f *frameState) mask() []byte {
	if !f.masked() {
		return nil
	}
	return f.header[f.headerLen-4 : f.headerLen]
}

// parseFrame takes bytes of at most one frame and returns the rest.
func (t *Tracer) parseFrame(s *stream, p []byte) (rest []byte) {
	f := &s.frame
	for !f.complete && len(p) > 0 {
		f.header[f.headerLen] = p[0]
		f.headerLen++
		if p = p[1:]; f.headerLen >= 2 && f.headerLen == f.headerSize() {
			s.beginFrame()
		}
	}
	if !f.complete {
		return nil
	}
	n := len(p)
	if left := f.length - f.seen; uint64(n) > left {
		n = int(left)
	}
	s.takePayload(p[:n])
	if f.seen == f.length {
		t.endFrame(s)
	}
	return p[n:]
}

// beginFrame handles a complete header.
func (s *stream) beginFrame() {
	f := &s.frame
	f.complete = true
	switch f.length = uint64(f.header[1] & 0x7f); f.length {
	case 126:
		f.length = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		f.length = binary.BigEndian.Uint64(f.header[2:])
	}
	if op := f.opcode(); !f.control() && op != opContinuation {
		s.text = op == opText
		s.deflate.begin(s.negotiated && f.rsv1())
	}
}

// takePayload handles the next bytes of the payload.
func (s *stream) takePayload(p []byte) {
	f := &s.frame
	mask := f.mask()
	deflated := s.deflate.active && !f.control()
	for i, b := range p {
		at := f.seen + uint64(i)
		if at >= maxShown && !deflated {
			break
		}
		if mask != nil {
			b ^= mask[at%4]
		}
		if at < maxShown {
			f.payload = append(f.payload, b)
		}
		if deflated && !s.deflate.add(b) {
			deflated = false
		}
	}
	f.seen += uint64(len(p))
}

// endFrame reports a complete frame.
func (t *Tracer) endFrame(s *stream) {
	f := &s.frame
	frame := s.describe()
	payload, length := f.payload, f.length
	quote := s.text
	if f.control() {
		quote = false
	} else if s.deflate.active {
		quote = false
		if f.fin() {
			plain, total := s.deflate.inflate()
			frame.Plain = total
			if plain != nil {
				payload, length, quote = plain, uint64(len(plain)), s.text
				if total != strconv.Itoa(len(plain)) {
					length++ // there is more
				}
			}
		}
	}
	frame.Payload = showPayload(payload, uint64(len(payload)) < length, quote)
	switch f.opcode() {
	case opClose:
		t.describeClose(s, frame)
	case opPing:
		t.rememberPing(s)
	case opPong:
		frame.RTT = t.roundTrip(s)
	}
	s.frame = frameState{payload: f.payload[:0]}
	t.send(Event{Dir: s.direction.sign(), Frame: frame})
}

// describe returns what the header says.
func (s *stream) describe() *Frame {
	f := &s.frame
	name, known := opNames[f.opcode()]
	if !known {
		name = fmt.Sprintf("opcode-%d", f.opcode())
	}
	mask := "-"
	if key := f.mask(); key != nil {
		mask = hex.EncodeToString(key)
	}
	return &Frame{Type: name, Fin: f.fin(), RSV: fmt.Sprintf("%03b", f.header[0]>>4&0x7), Mask: mask, Len: f.length, Header: hex.EncodeToString(f.header[:f.headerLen])}
}

// describeClose adds the code and the reason of a close frame.
func (t *Tracer) describeClose(s *stream, frame *Frame) {
	if !t.closing {
		t.closing, t.begun = true, s.direction
	}
	frame.Begun = t.begun.name()
	if payload := s.frame.payload; len(payload) >= 2 {
		frame.Payload = hex.EncodeToString(payload[:min(len(payload), 125)])
		frame.Code = int(binary.BigEndian.Uint16(payload))
		frame.Reason = showPayload(payload[2:min(len(payload), 125)], false, true)
	}
}

// rememberPing notes a ping for the round-trip time.
func (t *Tracer) rememberPing(s *stream) {
	pings := &t.pings[s.direction]
	if len(*pings) == maxPings {
		*pings = (*pings)[:copy(*pings, (*pings)[1:])]
	}
	*pings = append(*pings, ping{string(s.frame.payload), time.Now()})
}

// roundTrip returns the time since the ping that a pong answers. Earlier pings need no
// answer (RFC 6455 section 5.5.3).
func (t *Tracer) roundTrip(s *stream) string {
	pings := &t.pings[1-s.direction]
	for i := len(*pings) - 1; i >= 0; i-- {
		if p := (*pings)[i]; p.payload == string(s.frame.payload) {
			*pings = (*pings)[:copy(*pings, (*pings)[i+1:])]
			return fmt.Sprintf("%.1fms", time.Since(p.at).Seconds()*1e3)
		}
	}
	return ""
}

// frameCut reports a frame that the end of the connection has cut off.
func (t *Tracer) frameCut(s *stream) {
	if !s.frame.complete {
		t.note(fmt.Sprintf("the %s stopped within a frame header: %s", s.direction.name(), hex.EncodeToString(s.frame.header[:s.frame.headerLen])))
		return
	}
	frame := s.describe()
	t.note(fmt.Sprintf("the %s stopped after %d bytes of the payload: %s len=%d header=%s", s.direction.name(), s.frame.seen, frame.Type, frame.Len, frame.Header))
}

// showPayload returns p quoted or in hex, with "..." if more follows.
func showPayload(p []byte, more, quote bool) string {
	p = p[:min(len(p), maxShown)]
	end := ""
	if more {
		end = "..."
	}
	whole := p
	if more { // without a character that is cut off
		for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
			if utf8.RuneStart(p[i]) {
				if !utf8.FullRune(p[i:]) {
					whole = p[:i]
				}
				break
			}
		}
	}
	if quote || utf8.Valid(whole) {
		return strconv.Quote(string(whole)) + end
	}
	return hex.EncodeToString(p) + end
}
