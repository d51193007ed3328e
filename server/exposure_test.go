//go:build unix

package server

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"wspipe/process"
)

// TestTerminalIsNotExposed: nobody on a network may type into a terminal
// without authentication, unless the operator says so.
func TestTerminalIsNotExposed(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	cert, key := ca.issue(t, t.TempDir(), "server", "127.0.0.1")
	files := &TLS{Cert: cert, Key: key, ClientCA: ca.file}
	for name, test := range map[string]struct {
		change  func(*Config)
		refused bool
	}{
		"every IPv4 address":         {func(c *Config) { c.Addresses = []string{"0.0.0.0"} }, true},
		"every IPv6 address":         {func(c *Config) { c.Addresses = []string{"127.0.0.1", "::"} }, true},
		"with --no-auth":             {func(c *Config) { c.Addresses, c.NoAuth = []string{"0.0.0.0"}, true }, false},
		"with a password":            {func(c *Config) { c.Addresses, c.Auth.Basic = []string{"0.0.0.0"}, "me:secret" }, false},
		"with client certificates":   {func(c *Config) { c.Addresses, c.TLS = []string{"0.0.0.0"}, files }, false},
		"on loopback":                {func(c *Config) { c.Addresses = []string{"127.0.0.1", "::1", "127.0.0.2"} }, false},
		"on a unix socket":           {func(c *Config) { c.UnixSocket, c.UnixSocketMode = filepath.Join(t.TempDir(), "s"), 0o666 }, false},
		"a line-buffered child":      {func(c *Config) { c.Addresses, c.Child.Terminal = []string{"0.0.0.0"}, process.StdoutTerminal }, false},
		"a child without a terminal": {func(c *Config) { c.Addresses, c.Child.Terminal = []string{"0.0.0.0"}, process.NoTerminal }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Child: sh("exit")}
			cfg.Child.Terminal = process.FullTerminal
			test.change(&cfg)
			s, err := Listen(cfg)
			if err == nil {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := s.Serve(ctx); err != nil { // closes what it listens on
					t.Error(err)
				}
			}
			_, exposed := errors.AsType[*ExposedTerminalError](err)
			if exposed != test.refused || err != nil && !exposed {
				t.Errorf("Listen: %v", err)
			}
		})
	}
}
