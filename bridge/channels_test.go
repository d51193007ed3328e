//go:build unix

package bridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestControlMessages: what the child gets of messages on channels other than stdin. Those that the protocol does
// not have, or that the child cannot carry out, are ignored, and the first one is logged.
func TestControlMessages(t *testing.T) {
	t.Parallel()
	const wspipe, v5, v4 = channel.ProtocolWspipe, channel.ProtocolV5, channel.ProtocolV4
	all := wspipe + v5 + v4
	for message, test := range map[string]struct {
		protocols string
		want      string // the call, "" for none, or "ignored"
	}{
		"": {all, "ignored"}, "\x01out": {all, "ignored"}, "\x02err": {all, "ignored"}, "\x03{}": {all, "ignored"}, "\x06": {all, "ignored"}, "\x77": {all, "ignored"},
		"\x04": {all, "ignored"}, "\x04{": {all, "ignored"}, "\x04[1]": {all, "ignored"},
		"\x04{\"Width\":-1,\"Height\":5}": {all, "ignored"}, "\x04{\"Width\":70000,\"Height\":5}": {all, "ignored"},
		"\xff\x01": {all, "ignored"}, "\xff": {all, "ignored"}, "\xff\x00\x00": {all, "ignored"}, "\xff\x00": {v4, "ignored"}, strings.Repeat("\x06", maxControlMessage): {all, "ignored"},
		"\x05": {wspipe, "ignored"}, "\x05{": {wspipe, "ignored"}, "\x05null": {wspipe, "ignored"}, "\x05[]": {wspipe, "ignored"}, "\x05\"hello\"": {wspipe, "ignored"},
		"\x05{}": {wspipe, "ignored"}, "\x05{\"type\":\"hello\"}": {wspipe, "ignored"}, "\x05{\"type\":7}": {wspipe, "ignored"}, "\x05\xff\xff": {wspipe, "ignored"},
		"\x05{\"type\":\"signal\"}": {wspipe, "ignored"}, "\x05{\"type\":\"resize\",\"cols\":-1}": {wspipe, "ignored"},
		"\x05{\"type\":\"signal\",\"signal\":\"INT\"}":        {v5 + v4, "ignored"},
		"\x05{\"type\":\"resize\",\"cols\":1,\"rows\":1}":     {v5 + v4, "ignored"},
		"\x05{\"type\":\"pause\"}":                            {v5 + v4, "ignored"},
		"\x04{\"Width\":80,\"Height\":24}":                    {all, "size 80x24"},
		"\x04{\"Width\":0,\"Height\":24}":                     {all, ""},
		"\x04{\"Width\":80}":                                  {all, ""},
		"\x04{}":                                              {all, ""},
		"\x05{\"type\":\"resize\"}":                           {wspipe, ""},
		"\x05{\"type\":\"resize\",\"cols\":65535,\"rows\":1}": {wspipe, "size 65535x1"},
		"\x05{\"type\":\"resize\",\"cols\":0,\"rows\":1}":     {wspipe, ""},
		"\x05{\"type\":\"signal\",\"signal\":\"WINCH\",\"x\":1}" + strings.Repeat(" ", maxControlMessage-42): {wspipe, "signal WINCH"},
	} {
		for _, protocol := range channel.Protocols {
			for _, terminal := range []bool{true, false} {
				if !strings.Contains(test.protocols, protocol) {
					continue
				}
				var log strings.Builder
				child := newPuppet(t).readAll()
				s := start(t, link{protocol: protocol}, child, Options{InputTimeout: -1, Terminal: terminal, Log: jsonLog(&log)})
				s.write(maskedFrame(fin|opBinary, []byte(message)), maskedFrame(fin|opBinary, []byte(message)), maskedFrame(fin|opBinary, []byte("\x00still here")), closeFrame(1000, ""))
				if got := string(wspipetest.Wait(t, "input", child.input)); got != "still here" {
					t.Errorf("%q: input %q", message, got)
				}
				if sum := s.summary(); sum.Code != 1000 || sum.In != (Traffic{1, 10}) {
					t.Errorf("%q: summary %+v", message, sum)
				}
				want, got := test.want, ""
				if len(child.told) > 0 {
					got = <-child.told
				}
				if want == "ignored" || !terminal && strings.HasPrefix(want, "size") {
					want = ""
				}
				ignored := strings.Count(log.String(), "client's message ignored")
				if got != want || (ignored == 1) != (test.want == "ignored") || strings.Count(log.String(), "\n") != ignored {
					t.Errorf("%s %.100q, terminal %t: the child got %q, logged %s", protocol, message, terminal, got, log.String())
				}
			}
		}
	}
}

// ordered is a puppet that has read the name of a signal, and a comma, when it gets the signal.
type ordered struct {
	*puppet
	t *testing.T
}

func (o ordered) Signal(name string) error {
	if got := o.read(o.t, len(name)+1); got != name+"," {
		o.t.Errorf("at signal %s the child has read %q", name, got)
	}
	return o.puppet.Signal(name)
}

// TestChannelsOrder: of many messages in one write, signals and sizes reach the child after the input sent before
// them.
func TestChannelsOrder(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	s := start(t, onWspipe, ordered{child, t}, Options{Terminal: true})
	s.expectOn(channel.Control, `{"type":"hello","session":"the session","pty":true,"pid":1}`)
	var sent []byte
	for i := range 30 {
		sent = append(sent, maskedFrame(fin|opBinary, fmt.Appendf(nil, "\x00%d,", i))...)
		sent = append(sent, maskedFrame(fin|opBinary, fmt.Appendf(nil, "\x05{\"type\":\"signal\",\"signal\":\"%d\"}", i))...)
		sent = append(sent, maskedFrame(fin|opText, fmt.Appendf(nil, "\x04{\"Width\":%d,\"Height\":1}", i+1))...)
	}
	s.write(sent)
	for i := range 30 {
		for _, want := range []string{fmt.Sprint("signal ", i), fmt.Sprintf("size %dx1", i+1)} {
			if got := wspipetest.Wait(t, want, child.told); got != want {
				t.Errorf("the child gets %s, want %s", got, want)
			}
		}
	}
}

// TestInvalidChannelMessages: the child gets nothing of them.
func TestInvalidChannelMessages(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	const notUTF8, tooLong = "text is not UTF-8", "control message over 4096 bytes"
	for name, test := range map[string]struct {
		frames []byte
		code   int
		reason string
	}{
		"resize over 4 KiB":      {maskedFrame(fin|opBinary, []byte("\x04"+strings.Repeat(" ", 4096))), 1009, tooLong},
		"unknown over 4 KiB":     {maskedFrame(fin|opBinary, []byte("\x77"+strings.Repeat(" ", 4096))), 1009, tooLong},
		"over 4 KiB in frames":   {append(maskedFrame(opBinary, []byte("\x05")), maskedFrame(fin|wire.OpContinuation, make([]byte, 4096))...), 1009, tooLong},
		"control over the limit": {maskedFrame(fin|opBinary, append([]byte{5}, make([]byte, limit)...)), 1009, "message over 10000 bytes"},
		"stdin over the limit":   {maskedFrame(fin|opBinary, make([]byte, limit+1)), 1009, "message over 10000 bytes"},
		"text, not UTF-8":        {maskedFrame(fin|opText, []byte("\x00a\xff")), 1007, notUTF8},
		"text, incomplete":       {maskedFrame(fin|opText, []byte("\x00a\xe2\x82")), 1007, notUTF8},
		"text on channel 255":    {maskedFrame(fin|opText, []byte("\xff\x00")), 1007, notUTF8},
		"half a channel":         {maskedFrame(fin|opText, []byte("\xc3")), 1007, notUTF8},
	} {
		child := newPuppet(t).readAll()
		s := start(t, onWspipe, child, Options{InputTimeout: -1, MaxMessage: limit})
		s.greeted()
		s.say(channel.Stdin, "before")
		s.write(test.frames)
		s.expectOn(channel.Error, `{"metadata":{},"status":"Failure","message":"`+test.reason+`","reason":"InternalError","code":500}`)
		s.expectClose(test.code, test.reason)
		if got := string(wspipetest.Wait(t, "input", child.input)); got != "before" {
			t.Errorf("%s: input %q", name, got)
		}
	}
}

// TestChannelsMessageSize: no message is longer than MaxMessage, if possible.
func TestChannelsMessageSize(t *testing.T) {
	t.Parallel()
	const second = channelRoom + 60_000 - (wire.SmallBlock - channelRoom) // everything printed, without the first read
	for limit, most := range map[int64]int{0: second, -1: second, 1 << 20: second, 1000: 1000, 2: 2, 1: 2} {
		child := newPuppet(t)
		s := start(t, link{protocol: channel.ProtocolV5}, child, Options{MaxMessage: limit})
		s.greeted()
		child.print(x(60_000))
		child.exit(0, "")
		longest, bytes := 0, 0
		for bytes < 60_000 {
			_, m := s.message()
			bytes += len(m) - 1
			longest = max(longest, len(m))
		}
		if longest != most {
			t.Errorf("limit %d: a message of %d bytes, want %d", limit, longest, most)
		}
		s.expectClose(1000, "exit 0")
	}
}

// TestShutdownBeforeRun: a session that ends before Run sends hello first, or nothing.
func TestShutdownBeforeRun(t *testing.T) {
	t.Parallel()
	for range 10 {
		c, to := connect(t, onWspipe)
		b := New(newPuppet(t), Options{})
		on, err := b.Attach(to, ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		on.Shutdown()
		run(t, b)
		ended := make(chan Summary, 1)
		go func() { ended <- on.Run() }() // ends when the client has replied
		var channels []byte
		opcode, m := c.message()
		for ; opcode != wire.OpClose; opcode, m = c.message() {
			channels = append(channels, m[0])
		}
		c.write(maskedFrame(fin|wire.OpClose, []byte(m)))
		c.Close()
		if !slices.Contains([]string{"\x03", "\x05\x01\x03"}, string(channels)) {
			t.Errorf("messages on channels %q before the end", channels)
		}
		if sum := wspipetest.Wait(t, "the end of Run", ended); sum.End != endShutdown {
			t.Errorf("summary %+v", sum)
		}
	}
}
