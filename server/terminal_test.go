//go:build unix

package server_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"wspipe/bridge/framing"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/listen"
)

// TestTerminalIsNotExposed: clients on a network cannot type into a terminal without authentication,
// unless --no-auth allows it.
func TestTerminalIsNotExposed(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	cert, key := ca.issue(t, t.TempDir(), "server", "127.0.0.1")
	files := &listen.TLS{Cert: cert, Key: key, ClientCA: ca.file}
	for name, test := range map[string]struct {
		change  func(*server.Config)
		refused bool
	}{
		"every IPv4 address":       {func(c *server.Config) { c.Addresses = []string{"0.0.0.0"} }, true},
		"every IPv6 address":       {func(c *server.Config) { c.Addresses = []string{"127.0.0.1", "::"} }, true},
		"with --no-auth":           {func(c *server.Config) { c.Addresses, c.NoAuth = []string{"0.0.0.0"}, true }, false},
		"with a password":          {func(c *server.Config) { c.Addresses, c.Auth.Basic = []string{"0.0.0.0"}, "me:secret" }, false},
		"with client certificates": {func(c *server.Config) { c.Addresses, c.TLS = []string{"0.0.0.0"}, files }, false},
		"on loopback":              {func(c *server.Config) { c.Addresses = []string{"127.0.0.1", "::1", "127.0.0.2"} }, false},
		"on a unix socket":         {func(c *server.Config) { c.UnixSocket, c.UnixSocketMode = filepath.Join(t.TempDir(), "s"), 0o666 }, false},
		"a line-buffered child": {func(c *server.Config) {
			c.Addresses, c.Endpoint.Child.Terminal = []string{"0.0.0.0"}, process.StdoutTerminal
		}, false},
		"read-only": {func(c *server.Config) {
			c.Addresses, c.Endpoint.Share, c.Endpoint.ReadOnly = []string{"0.0.0.0"}, server.ShareBroadcast, true
		}, false},
		"shared":              {func(c *server.Config) { c.Addresses, c.Endpoint.Share = []string{"0.0.0.0"}, server.ShareBroadcast }, true},
		"read-only if shared": {func(c *server.Config) { c.Addresses, c.Endpoint.ReadOnly = []string{"0.0.0.0"}, true }, true},
		"a child without a terminal": {func(c *server.Config) {
			c.Addresses, c.Endpoint.Child.Terminal = []string{"0.0.0.0"}, process.NoTerminal
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := server.Config{Endpoint: server.Endpoint{Child: sh("exit")}}
			cfg.Endpoint.Child.Terminal = process.FullTerminal
			test.change(&cfg)
			s, err := server.Listen(cfg)
			if err == nil {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := s.Serve(ctx); err != nil { // closes the listeners
					t.Error(err)
				}
			}
			_, exposed := errors.AsType[*server.ExposedTerminalError](err)
			if exposed != test.refused || err != nil && !exposed {
				t.Errorf("Listen: %v", err)
			}
		})
	}
}

// TestSizeFromTheStart: the terminal has the size of the handshake from the start. The environment of
// the child does not have the parameter.
func TestSizeFromTheStart(t *testing.T) {
	t.Parallel()
	const script = `echo "$(stty size) $TERM $QUERY_STRING $REQUEST_URI"`
	for query, want := range map[string]string{
		"":                               "24 80 xterm-256color  /",
		"?wspipe_size=120x40":            "40 120 xterm-256color  /",
		"?a=b&wspipe_size=90x30&c":       "30 90 xterm-256color a=b&c /?a=b&c",
		"?wspipe_size=0x40":              "24 80 xterm-256color  /",
		"?wspipe_size=120x40x1&x":        "24 80 xterm-256color x /?x",
		"?wspipe_size=99999x1":           "24 80 xterm-256color  /",
		"?wspipe_size=91x31&wspipe_size": "31 91 xterm-256color  /",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			cfg := server.Config{Endpoint: server.Endpoint{Child: sh(script), Framing: framing.Bytes}}
			cfg.Endpoint.Child.Terminal = process.FullTerminal
			c := dial(t, serve(t, cfg).ws+query)
			if got := strings.Join(c.ExpectEnd(1000, "exit 0"), ""); got != want+"\r\n" {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestTerminalIsDescribed: TERM describes the child's terminal, whatever --passenv passes, unless
// --setenv sets it.
func TestTerminalIsDescribed(t *testing.T) {
	t.Parallel()
	for terminal, want := range map[process.Terminal]string{
		process.NoTerminal:     "env= no= tty=",
		process.StdoutTerminal: "env=dumb no=1 tty=y",
		process.FullTerminal:   "env=xterm-256color no= tty=y",
	} {
		cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`[ -t 1 ] && tty=y; echo "env=$TERM no=$NO_COLOR tty=$tty"`)}}
		cfg.Endpoint.Child.Terminal = terminal
		dial(t, serve(t, cfg).ws).Expect(want)
	}
	cfg := server.Config{Endpoint: server.Endpoint{Child: sh(`echo "$TERM"`), SetEnv: []string{"TERM=vt100"}}}
	cfg.Endpoint.Child.Terminal = process.StdoutTerminal
	dial(t, serve(t, cfg).ws).Expect("vt100")
}
