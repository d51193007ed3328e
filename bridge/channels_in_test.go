//go:build unix

package bridge

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// [255, 0] ends stdin after everything that was sent before. Later input is dropped. v4 does
// not have that message.
func TestChannelsEndOfInput(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol string) {
		const size = 1_500_000 // queued for the child
		child := newPuppet(t)
		child.reader = true
		s := onChannels(t, protocol, child, named)
		s.greeted()
		sent := strings.Repeat("0123456789", size/10)
		s.say(channel.Stdin, sent[:500_000])
		s.say(channel.Stdin, sent[500_000:size-7])
		s.say(channel.Stdin, sent[size-7:])
		s.say(channel.Close, "\x00")
		s.say(channel.Stdin, "more")
		s.say(channel.Close, "\x00")
		s.say(channel.Stdin, strings.Repeat("much more", 100))
		if protocol == channel.ProtocolV4 {
			want := sent + "more" + strings.Repeat("much more", 100)
			if got := child.read(t, len(want)); got != want {
				t.Errorf("the child got %.100q", got)
			}
			s.client.Close()
			child.exit(0, "")
			return
		}
		child.readAll()
		if got := string(wspipetest.Wait(t, "input", child.input)); got != sent {
			t.Errorf("the child got %d bytes, want %d", len(got), size)
		}
		s.expectClose(1000, "exit 0")
		if sum := s.summary(); sum.ExitCode != 0 {
			t.Errorf("summary %+v", sum)
		}
	})
}

// A child that continues after the end of its input is not blocked, nor is its client.
func TestChannelsContinueAfterTheEndOfInput(t *testing.T) {
	t.Parallel()
	s := onChannels(t, channel.ProtocolV5, startShell(t, `cat; echo eof; while :; do sleep 1000; done`), named)
	s.greeted()
	s.say(channel.Stdin, "hello")
	s.say(channel.Close, "\x00")
	out := ""
	for out != "helloeof\n" {
		_, p := s.channelMessage()
		out += p
	}
	for range 3000 { // 3 MB
		s.say(channel.Stdin, strings.Repeat("x", 1000))
	}
	s.write(maskedFrame(fin|opPing, nil))
	if f, err := s.frame(); err != nil || f.first != fin|opPong {
		t.Errorf("want a pong: %v, %v", f, err)
	}
	s.Client.Shutdown()
	s.expectOn(channel.Error, `{"metadata":{},"status":"Failure","message":"server shutting down","reason":"InternalError","code":500}`)
	s.expectClose(1001, "server shutting down")
}

// Input in any number of frames, and longer than the batch.
func TestChannelsInput(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol string) {
		child := newPuppet(t).readAll()
		s := onChannels(t, protocol, child, named)
		s.greeted()
		want := ""
		for _, text := range []string{"", "a", "\xff\x00", strings.Repeat("0123456789", 40_000), strings.Repeat("x", wire.BlockSize), strings.Repeat("y", wire.BlockSize-1)} {
			message := "\x00" + text
			s.write(maskedFrame(fin|opBinary, []byte(message)))
			s.write(maskedFrame(opBinary, []byte(message[:1])), maskedFrame(fin|opPing, nil), maskedFrame(fin|wire.OpContinuation, []byte(message[1:])))
			s.write(maskedFrame(opBinary, nil), maskedFrame(wire.OpContinuation, []byte(message)), maskedFrame(fin|wire.OpContinuation, nil))
			want += strings.Repeat(text, 3)
		}
		for _, text := range []string{"é", "text", ""} { // typed as text
			s.write(maskedFrame(fin|opText, []byte("\x00"+text)))
			for i := range len(text) {
				s.write(maskedFrame(opText, []byte("\x00"+text[:i])), maskedFrame(fin|wire.OpContinuation, []byte(text[i:])))
				want += text
			}
			want += text
		}
		s.write(closeFrame(1000, ""))
		if got := string(wspipetest.Wait(t, "input", child.input)); got != want {
			t.Errorf("input of %d bytes, want %d", len(got), len(want))
		}
	})
}

// Many messages of all kinds in one write: signals and sizes reach the child after the input
// sent before them.
func TestChannelsOrder(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := startOver(t, link{protocol: channel.ProtocolWspipe}, child, Options{Terminal: true})
	s.expectOn(channel.Control, `{"type":"hello","session":"the session","pty":true,"pid":1}`)
	var burst []byte
	for i := range 30 {
		burst = append(burst, maskedFrame(fin|opBinary, fmt.Appendf(nil, "\x00%d,", i))...)
		burst = append(burst, maskedFrame(fin|opBinary, fmt.Appendf(nil, "\x05{\"type\":\"signal\",\"signal\":\"%d\"}", i))...)
		burst = append(burst, maskedFrame(fin|opText, fmt.Appendf(nil, "\x04{\"Width\":%d,\"Height\":1}", i+1))...)
		burst = append(burst, maskedFrame(fin|opText, fmt.Appendf(nil, "\x05{\"type\":\"resize\",\"cols\":%d,\"rows\":2}", i+1))...)
	}
	s.write(burst)
	input := ""
	for i := range 30 {
		if got := wspipetest.Wait(t, "a signal", child.told); got != fmt.Sprint("signal ", i) {
			t.Errorf("the child gets %s", got)
		}
		piece := child.read(t, len(fmt.Sprint(i, ",")))
		input += piece
		for row := 1; row <= 2; row++ {
			if got := wspipetest.Wait(t, "a size", child.told); got != fmt.Sprintf("size %dx%d", i+1, row) {
				t.Errorf("the child gets %s", got)
			}
		}
		if !strings.HasSuffix(input, fmt.Sprint(i, ",")) {
			t.Errorf("the child has read %q", input)
		}
	}
}

// Messages that the protocol does not have, or that the child cannot carry out, are ignored,
// and the first one is logged.
func TestChannelsIgnore(t *testing.T) {
	t.Parallel()
	always := []string{"", "\x01out", "\x02err", "\x03{}", "\x06", "\x77", "\x04", "\x04{", "\x04[1]", "\x04{\"Width\":-1,\"Height\":5}", "\x04{\"Width\":70000,\"Height\":5}",
		"\xff\x01", "\xff", "\xff\x00\x00", strings.Repeat("\x06", 4096)}
	for protocol, messages := range map[string][]string{
		channel.ProtocolWspipe: append(slices.Clone(always), "\x05", "\x05{", "\x05null", "\x05[]", "\x05\"hello\"", "\x05{}", "\x05{\"type\":\"hello\"}", "\x05{\"type\":7}", "\x05{\"type\":\"exit\",\"code\":0}",
			"\x05{\"type\":\"signal\"}", "\x05{\"type\":\"resize\",\"cols\":-1}", "\x05\xff\xff"),
		channel.ProtocolV5: append(slices.Clone(always), "\x05{\"type\":\"signal\",\"signal\":\"INT\"}", "\x05{\"type\":\"resize\",\"cols\":1,\"rows\":1}"),
		channel.ProtocolV4: append(slices.Clone(always), "\xff\x00", "\x05{\"type\":\"signal\",\"signal\":\"INT\"}"),
	} {
		for i, m := range messages {
			t.Run(fmt.Sprint(protocol, "/", i), func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				opt := named
				opt.Log = slog.New(slog.NewTextHandler(&log, nil))
				child := newPuppet(t).readAll()
				s := onChannels(t, protocol, child, opt)
				s.greeted()
				s.write(maskedFrame(fin|opBinary, []byte(m)), maskedFrame(fin|opBinary, []byte(m)))
				s.say(channel.Stdin, "still here")
				s.write(closeFrame(1000, ""))
				if got := string(wspipetest.Wait(t, "input", child.input)); got != "still here" {
					t.Errorf("input %q", got)
				}
				if sum := s.summary(); sum.Code != 1000 || sum.In != (Traffic{1, 10}) {
					t.Errorf("after %q: summary %+v", m, sum)
				}
				if got := strings.Count(log.String(), "client's message ignored"); got != 1 || strings.Count(log.String(), "\n") != 1 {
					t.Errorf("after %q: logged %s", m, log.String())
				}
				if len(child.told) > 0 {
					t.Errorf("the child got %s", <-child.told)
				}
			})
		}
	}
}

// An unknown size, or a size without a terminal, has no effect and is not logged.
func TestChannelsSizes(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"\x04{\"Width\":80,\"Height\":24}":                       "size 80x24",
		"\x04{\"Width\":0,\"Height\":24}":                        "",
		"\x04{\"Width\":80}":                                     "",
		"\x04{}":                                                 "",
		"\x05{\"type\":\"resize\"}":                              "",
		"\x05{\"type\":\"resize\",\"cols\":65535,\"rows\":1}":    "size 65535x1",
		"\x05{\"type\":\"resize\",\"cols\":0,\"rows\":1}":        "",
		"\x05{\"type\":\"signal\",\"signal\":\"WINCH\",\"x\":1}": "signal WINCH",
	} {
		for _, terminal := range []bool{true, false} {
			var log bytes.Buffer
			child := newPuppet(t)
			s := onChannels(t, channel.ProtocolWspipe, child, Options{Terminal: terminal, Log: slog.New(slog.NewTextHandler(&log, nil))})
			s.write(maskedFrame(fin|opBinary, []byte(message)), closeFrame(1000, ""))
			s.summary()
			got := ""
			if len(child.told) > 0 {
				got = <-child.told
			}
			if terminal && got != want || !terminal && strings.HasPrefix(got, "size") || log.Len() > 0 {
				t.Errorf("%q, terminal %t: the child got %q, logged %s", message, terminal, got, log.String())
			}
		}
	}
}

// The child gets nothing of invalid messages.
func TestChannelsBadMessages(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for name, test := range map[string]struct {
		frames []byte
		code   int
		reason string
	}{
		"resize over 4 KiB":      {maskedFrame(fin|opBinary, []byte("\x04"+strings.Repeat(" ", 4096))), 1009, "control message over 4096 bytes"},
		"control over 4 KiB":     {maskedFrame(fin|opBinary, []byte("\x05"+strings.Repeat(" ", 4096))), 1009, "control message over 4096 bytes"},
		"unknown over 4 KiB":     {maskedFrame(fin|opBinary, []byte("\x77"+strings.Repeat(" ", 4096))), 1009, "control message over 4096 bytes"},
		"over 4 KiB in frames":   {append(maskedFrame(opBinary, []byte("\x05")), maskedFrame(fin|wire.OpContinuation, make([]byte, 4096))...), 1009, "control message over 4096 bytes"},
		"control over the limit": {maskedFrame(fin|opBinary, append([]byte{5}, make([]byte, limit)...)), 1009, "message over 10000 bytes"},
		"stdin over the limit":   {maskedFrame(fin|opBinary, make([]byte, limit+1)), 1009, "message over 10000 bytes"},
		"text, not UTF-8":        {maskedFrame(fin|opText, []byte("\x00a\xff")), 1007, "text is not UTF-8"},
		"text, incomplete":       {maskedFrame(fin|opText, []byte("\x00a\xe2\x82")), 1007, "text is not UTF-8"},
		"text on channel 255":    {maskedFrame(fin|opText, []byte("\xff\x00")), 1007, "text is not UTF-8"},
		"half a channel":         {maskedFrame(fin|opText, []byte("\xc3")), 1007, "text is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachProtocol(t, func(t *testing.T, protocol string) {
				opt := named
				opt.MaxMessage = limit
				child := newPuppet(t).readAll()
				s := onChannels(t, protocol, child, opt)
				s.greeted()
				s.say(channel.Stdin, "before")
				s.write(test.frames)
				s.expectOn(channel.Error, `{"metadata":{},"status":"Failure","message":"`+test.reason+`","reason":"InternalError","code":500}`)
				s.expectClose(test.code, test.reason)
				if got := string(wspipetest.Wait(t, "input", child.input)); got != "before" {
					t.Errorf("input %q", got)
				}
			})
		})
	}
}

// A control message may have 4 KiB, including its channel byte.
func TestChannelsLongControlMessage(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := onChannels(t, channel.ProtocolWspipe, child, named)
	s.greeted()
	control := `{"type":"signal","signal":"USR1"}`
	s.say(channel.Control, control+strings.Repeat(" ", maxControlMessage-1-len(control)))
	if got := wspipetest.Wait(t, "a signal", child.told); got != "signal USR1" {
		t.Errorf("the child got %s", got)
	}
}
