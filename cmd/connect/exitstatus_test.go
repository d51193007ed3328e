//go:build unix

package connect

import (
	"strings"
	"testing"

	"wspipe/bridge/channel"

	"github.com/coder/websocket"
)

// All ways in which a server can end a connection.
func TestResultOfEveryEnd(t *testing.T) {
	control := string(channel.Control)
	status := string(channel.Error)
	tests := []struct {
		name, protocol string
		messages       []string
		code           websocket.StatusCode // 0: lost without a close frame
		reason         string
		status         int
		message        string
	}{
		{"exit", "", nil, 1000, "exit 0", 0, ""},
		{"exit 3", "", nil, 1000, "exit 3", 3, ""},
		{"exit of another system", "", nil, 1000, "exit 256", 255, ""},
		{"signal", "", nil, 1000, "signal TERM", 143, ""},
		{"real-time signal", "", nil, 1000, "signal 35", 163, ""},
		{"unknown signal", "", nil, 1000, "signal FOO", 255, "killed by signal FOO"},
		{"code that tells the exit", "", nil, 4003, "exit 3", 3, ""},
		{"code that tells the signal", "", nil, 4143, "signal TERM", 143, ""},
		{"other words", "", nil, 1000, "bye exit 3", 0, ""},
		{"no words", "", nil, 1000, "", 0, ""},
		{"no code", "", nil, websocket.StatusNoStatusRcvd, "", 0, ""},
		{"max runtime", "", nil, 4001, "max runtime", 255, "connection closed by the server: code 4001: max runtime"},
		{"shutdown", "", nil, 1001, "server shutting down", 255, "code 1001 (going away): server shutting down"},
		{"policy", "", nil, 1008, "no answer to pings", 255, "code 1008 (policy violation): no answer to pings"},
		{"too big", "", nil, 1009, "message over 10 bytes", 255, "code 1009 (message too big): message over 10 bytes"},
		{"cannot start", channel.ProtocolWspipe, nil, 1011, "cannot start: no such file", 255, "code 1011 (internal error): cannot start: no such file"},
		{"evil words", "", nil, 4999, "\x1b[2J\nx", 255, "code 4999: \uFFFD[2J x"},
		{"lost", "", nil, 0, "", 255, "connection lost"},
		{"told, then lost", channel.ProtocolWspipe, []string{control + `{"type":"exit","code":5}`}, 0, "", 5, ""},
		{"told", channel.ProtocolWspipe, []string{control + `{"type":"exit","signal":"KILL"}`}, 1000, "", 137, ""},
		{"told, but shut down", channel.ProtocolWspipe, []string{control + `{"type":"exit","signal":"INT"}`}, 1001, "server shutting down", 255, "1001"},
		{"only the reason", channel.ProtocolWspipe, nil, 1000, "exit 4", 4, ""},
		{"not told", channel.ProtocolWspipe, nil, 1000, "", 255, "the server did not report the program's exit status"},
		{"success", channel.ProtocolV4, []string{status + `{"metadata":{},"status":"Success"}`}, 1000, "", 0, ""},
		{"failure", channel.ProtocolV5, []string{status + `{"status":"Failure","reason":"InternalError","message":"no\nluck"}`}, 1000, "", 255, "the server reported: no luck"},
		{"nonsense", channel.ProtocolWspipe, []string{control + `{`, status + `[]`, control, status, ""}, 1000, "exit 0", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var offers []string
			if test.protocol != "" {
				offers = []string{test.protocol}
			}
			s := serve(t, nil, offers...)
			r := start(t, Config{URL: s.url(), Subprotocols: channel.Protocols})
			p := s.peer(t)
			for _, m := range test.messages {
				p.sendRaw(websocket.MessageBinary, m)
			}
			switch test.code {
			case 0:
				p.drop()
			default:
				p.Close(test.code, test.reason)
			}
			r.expect(test.status, test.message)
		})
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		" a\r\n\tb ":             "a b",
		"\x1b]0;title\a":         "\uFFFD]0;title\uFFFD",
		"\xff\u202eé":            "\uFFFD\uFFFDé",
		strings.Repeat("é", 600): strings.Repeat("é", 500) + "...",
	} {
		if got := singleLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
