//go:build unix

package server_test

import (
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// allKinds are servers whose children run script, one for each kind of child.
func allKinds(script string) map[string]server.Config {
	terminal := sh(script)
	terminal.Terminal = process.FullTerminal
	return map[string]server.Config{
		"plain": {Endpoint: server.Endpoint{Child: sh(script)}}, "terminal": {Endpoint: server.Endpoint{Child: terminal}},
		"broadcast": shared(script), "mux": mux(script), "resume": resuming(script),
	}
}

// violations are frames that no client may send, and the close code that tells it so.
var violations = map[string]struct {
	frame []byte
	code  uint16
}{
	"close, half a code":          {[]byte{fin | opClose, 0x80 | 1, 0, 0, 0, 0, 'a'}, 1002},
	"close, code 999":             {[]byte{fin | opClose, 0x80 | 2, 0, 0, 0, 0, 3, 231}, 1002},
	"close, code 1005":            {[]byte{fin | opClose, 0x80 | 2, 0, 0, 0, 0, 3, 237}, 1002},
	"close, reason is not UTF-8":  {[]byte{fin | opClose, 0x80 | 4, 0, 0, 0, 0, 3, 232, 0xff, 0xfe}, 1007},
	"close, not masked":           {[]byte{fin | opClose, 2, 3, 233}, 1002}, // Caddy 2.6 sends this when it reloads
	"close, in two frames":        {[]byte{opClose, 0x80, 0, 0, 0, 0}, 1002},
	"text, not masked":            {[]byte{fin | opText, 1, 'a'}, 1002},
	"reserved opcode":             {[]byte{fin | 3, 0x80, 0, 0, 0, 0}, 1002},
	"reserved bit":                {[]byte{fin | 0x40 | opText, 0x80, 0, 0, 0, 0}, 1002},
	"long ping":                   {[]byte{fin | opPing, 0x80 | 126, 0, 126, 0, 0, 0, 0}, 1002},
	"continuation of no message":  {[]byte{fin, 0x80, 0, 0, 0, 0}, 1002},
	"a message within a message":  {[]byte{opText, 0x80 | 1, 0, 0, 0, 0, 'a', opText, 0x80, 0, 0, 0, 0}, 1002},
	"close within, reason is bad": {[]byte{opText, 0x80 | 1, 0, 0, 0, 0, 'a', fin | opClose, 0x80 | 3, 0, 0, 0, 0, 3, 232, 0xc3}, 1007},
}

// TestInvalidFrameEndsTheConnectionAtOnce: the client neither answers the close
// frame nor closes its socket.
func TestInvalidFrameEndsTheConnectionAtOnce(t *testing.T) {
	for kind, cfg := range allKinds(`exec cat >/dev/null`) {
		for name, v := range violations {
			if kind != "plain" && name != "text, not masked" && name != "close, reason is not UTF-8" {
				continue // the same code
			}
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				s, clients := serve(t, cfg), 0
				wspipetest.Soon(t, 5*time.Second, func() time.Duration {
					c := wspipetest.DialRaw(t, s.session(newID(), -1))
					clients++
					s.log.Await(t, `"connect"`, clients)
					sent := time.Now()
					c.Write(v.frame)
					if code, reason := c.Closed(); code != v.code {
						t.Errorf("closed with %d %q, want %d", code, reason, v.code)
					}
					if _, err := c.Skip(); err == nil || wspipetest.IsTimeout(err) {
						t.Errorf("after the close frame: %v", err)
					}
					s.log.Await(t, `"disconnect"`, clients)
					if kind != "resume" {
						wspipetest.Eventually(t, "the slot is free", s.noSlots)
					}
					return time.Since(sent)
				})
			})
		}
	}
}
