//go:build unix

package server_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge"
	"wspipe/bridge/framing"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// TestSlowClientGetsNewestMessages: with --slow=drop, a client that reads nothing for a while lacks old
// messages, but not the newest, although each is sent in several fragments.
func TestSlowClientGetsNewestMessages(t *testing.T) {
	t.Parallel()
	const count, size = 100, 100_000 // more than all kernel buffers
	const alphabet = "0123456789abcdefghijklmnopqrstuv"
	text := make([]byte, size-4)
	for i := range text {
		text[i] = alphabet[rand.N(len(alphabet))] // hardly compressible
	}
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	const lines, mux = `while read -r n; do echo "$n$(cat "$FILE")"; done`, `while read -r l; do
		case $l in *'"data":"'*) n=${l#*'"data":"'}; echo "{\"to\":\"*\",\"data\":\"${n%%'"'*}$(cat "$FILE")\"}"; esac; done`
	const records = `while n=$(head -c 8 | tail -c 4) && test "$n"; do printf '\0\1\206\240%s' "$n"; cat "$FILE"; done`
	for name, test := range map[string]struct {
		share  server.Share
		format framing.Framing
		script string
		accept string // of an HTTP client
	}{
		"text":       {server.ShareBroadcast, framing.Lines, lines, ""},
		"JSON":       {server.ShareBroadcast, framing.JSON, lines, ""},
		"binary":     {server.ShareBroadcast, framing.Length, records, ""},
		"mux":        {server.ShareMux, framing.Lines, mux, ""},
		"HTTP":       {server.ShareBroadcast, framing.Lines, lines, "*/*"},
		"events":     {server.ShareBroadcast, framing.Lines, lines, "text/event-stream"},
		"mux events": {server.ShareMux, framing.Lines, mux, "text/event-stream"},
	} {
		for _, compress := range []bool{false, true} {
			if compress && test.accept != "" {
				continue
			}
			t.Run(fmt.Sprint(name, " compress=", compress), func(t *testing.T) {
				t.Parallel()
				s := serve(t, server.Config{Endpoint: server.Endpoint{Child: process.Spec{Path: "/bin/bash", Args: []string{"-c", test.script}}, SetEnv: []string{"FILE=" + file, "LC_ALL=C"},
					Share: test.share, Framing: test.format, Slow: bridge.SlowDrop, HTTP: test.accept != "", Compress: compress, MaxMessage: 1 << 20}})
				opt := &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover}
				quick := wspipetest.Dial(t, s.ws, opt)
				var slow func() (message []byte, err error)
				if test.accept == "" {
					c := wspipetest.Dial(t, s.ws, opt)
					slow = func() ([]byte, error) { _, m, err := c.Read(c.Ctx); return m, err }
				} else {
					_, body := s.follow(t, "", "Accept: "+test.accept)
					slow = func() ([]byte, error) { return body.ReadBytes('\n') }
				}
				for i := range count { // quick keeps up
					quick.Send(fmt.Sprintf("%04d", i))
					if m := quick.Next(); !strings.Contains(m[:min(len(m), 50)], fmt.Sprintf("%04d", i)) {
						t.Fatalf("message %d is %.50q", i, m)
					}
				}
				var got []int
				for len(got) == 0 || got[len(got)-1] != count-1 {
					m, err := slow()
					if err != nil {
						t.Fatalf("after %v: %v", got, err)
					}
					before, _, found := bytes.Cut(m, text)
					if !found && len(m) > size {
						t.Fatalf("got %.100q", m)
					}
					if found {
						got = append(got, atoi(t, string(before[len(before)-4:])))
					}
				}
				const kept = 5 // less than 1 MiB
				if last := got[max(0, len(got)-kept):]; len(got) == count || last[0] != count-kept {
					t.Errorf("got %v", got)
				}
			})
		}
	}
}
