package wspipetest_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// floodUntilCtrlC writes until Ctrl-C, and makes a file, its argument, once it could
// write nothing for a second.
const floodUntilCtrlC = `
import os, select, sys
os.write(1, b"ready")
os.set_blocking(1, False)
try:
    while True:
        try:
            if select.select([], [1], [], 1)[1]: os.write(1, b"x" * 4096)
            else: open(sys.argv[1], "w").close()
        except BlockingIOError: pass
except KeyboardInterrupt: pass`

// TestLittleComesAfterCtrlC: when a flood in a terminal is stopped, a client that was
// slow gets at most 1 MiB of it, about as much as through ssh -tt.
func TestLittleComesAfterCtrlC(t *testing.T) {
	t.Parallel()
	cert, key := wspipetest.NewCA(t, "ca").Server(t)
	session := "?" + aSession
	for name, test := range map[string]struct {
		flags           []string
		query, protocol string
	}{
		"plain":             {nil, "", ""},
		"channels":          {nil, "", channel.ProtocolWspipe},
		"TLS":               {[]string{"--ssl", "--sslcert=" + cert, "--sslkey=" + key}, "", ""},
		"shared":            {[]string{"--share=broadcast", "--slow=block"}, "", ""},
		"resumable":         {[]string{"--resume=1m", "--resume-buffer=64MiB"}, session, ""},
		"resumable, stream": {[]string{"--resume=1m"}, session, channel.ProtocolV5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stuck := filepath.Join(t.TempDir(), "stuck")
			s := wspipetest.Start(t, append(test.flags, "--pty", "--loglevel=error", wspipetest.Need(t, "python3"), "-c", floodUntilCtrlC, stuck)...)
			insecure := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
			opt, ctrlC := &websocket.DialOptions{HTTPClient: insecure}, "\x03"
			if test.protocol != "" {
				opt.Subprotocols, ctrlC = []string{test.protocol}, "\x00\x03"
			}
			c := wspipetest.Dial(t, s.WS+test.query, opt)
			for !strings.Contains(c.Next(), "ready") {
			}
			until(t, "the flood is stuck", func() bool { _, err := os.Stat(stuck); return err == nil })
			c.Send(ctrlC)
			size := 0
			for _, message := range c.ExpectEnd(websocket.StatusNormalClosure, "exit 0") {
				size += len(message)
			}
			if size > 1<<20 {
				t.Errorf("%d bytes came after Ctrl-C", size)
			}
		})
	}
}
