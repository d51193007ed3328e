package cmd

import (
	"fmt"
	"io/fs"
	"math"
	"testing"
	"time"

	"wspipe/bridge"
	"wspipe/process"
	"wspipe/server"
)

// good and bad check a parser with values that it must accept and reject.
func good[T comparable](t *testing.T, parse func(string) (T, error), want map[string]T) {
	t.Helper()
	for s, w := range want {
		if got, err := parse(s); got != w || err != nil {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, w)
		}
	}
}

func bad[T any](t *testing.T, parse func(string) (T, error), texts ...string) {
	t.Helper()
	for _, s := range texts {
		if got, err := parse(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
}

func TestBoolean(t *testing.T) {
	good(t, boolean, map[string]bool{"true": true, "false": false, "1": true, "0": false})
	bad(t, boolean, "", "yes", "2")
}

func TestInteger(t *testing.T) {
	good(t, integer(0, 65535), map[string]int{"0": 0, "65535": 65535})
	bad(t, integer(0, 65535), "", "-1", "65536", "80x", "0x10", "1e3", " 1", "99999999999999999999")
	bad(t, integer(0, math.MaxInt), "-1")
	good(t, integer(math.MinInt, math.MaxInt), map[string]int{"-5": -5})
	bad(t, integer(math.MinInt, math.MaxInt), "many")
}

func TestMilliseconds(t *testing.T) {
	good(t, milliseconds, map[string]time.Duration{"0": 0, "1500": 1500 * time.Millisecond})
	bad(t, milliseconds, "", "-1", "5s", "1.5", fmt.Sprint(int64(math.MaxInt64)))
	good(t, grace, map[string]time.Duration{"0": 0, "250": 250 * time.Millisecond, "-1": process.WaitForever})
	bad(t, grace, "", "-2", "5s")
}

func TestDuration(t *testing.T) {
	good(t, duration, map[string]time.Duration{"0": 0, "30s": 30 * time.Second, "1h30m": 90 * time.Minute})
	bad(t, duration, "", "30", "-1s", "1d", "soon")
}

func TestLinger(t *testing.T) {
	good(t, linger, map[string]time.Duration{"0": 0, "0s": 0, "90s": 90 * time.Second, "-1": -1})
	bad(t, linger, "", "5", "-1s", "-2", "never")
}

func TestShareBy(t *testing.T) {
	good(t, shareBy, map[string]server.ShareBy{"program": {}, "path": {Path: true}, "query:room": {Query: "room"}, "query:a b&": {Query: "a b&"}})
	bad(t, shareBy, "", "query", "query:", "Path", "query:wspipe_session", "query:access_token")
}

func TestSharing(t *testing.T) {
	good(t, share, map[string]server.Share{"broadcast": server.ShareBroadcast, "mux": server.ShareMux})
	bad(t, share, "", "none", "Mux", "Broadcast", "true")
	good(t, slowPolicy, map[string]bridge.SlowPolicy{"disconnect": bridge.SlowDisconnect, "drop": bridge.SlowDrop, "block": bridge.SlowBlock})
	bad(t, slowPolicy, "", "wait", "drop,block")
}

func TestSize(t *testing.T) {
	good(t, size, map[string]int64{"0": 0, "17": 17, "64KiB": 64 << 10, "1MiB": 1 << 20, "2GiB": 2 << 30, "0GiB": 0})
	bad(t, size, "", "-1", "1MB", "1mib", "1.5MiB", "MiB", "1 MiB", "+1", "9223372036854775807KiB", "9223372036854775808")
}

func TestToken(t *testing.T) {
	good(t, token, map[string]string{"chat": "chat", "v1.wspipe": "v1.wspipe", "a!#$%&'*+-.^_`|~9": "a!#$%&'*+-.^_`|~9"})
	bad(t, token, "", "a b", "a/b", "a,b", `"a"`, "ä", "a\n", "a@b", "[a]")
}

func TestAssignment(t *testing.T) {
	good(t, assignment, map[string]string{"A=B": "A=B", "A=": "A=", "A=B=C": "A=B=C", "a.b=\n": "a.b=\n"})
	bad(t, assignment, "", "A", "=B", "A\x00=B", "A=\x00")
}

func TestAddress(t *testing.T) {
	good(t, address, map[string]string{
		"127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1", "0.0.0.0": "0.0.0.0", "[::]": "::",
		"localhost": "localhost", "fe80::1%eth0": "fe80::1%eth0", "[fe80::1%eth0]": "fe80::1%eth0", "a-b.example": "a-b.example",
	})
	bad(t, address, "", "*", "127.0.0.1:80", "[::1]:80", "localhost:80", "[::1", "[127.0.0.1]", "http://x", "a/b", "a b", "-x", "x-")
}

func TestHost(t *testing.T) {
	good(t, host, map[string]string{"pi.lan": "pi.lan", "10.0.0.1": "10.0.0.1", "[::1]": "::1", "my_pi.": "my_pi."})
	bad(t, host, "", "*", "*.lan", "pi.lan:80", "http://pi.lan", "pi.lan/")
}

func TestOrigin(t *testing.T) {
	for _, s := range []string{
		"*", "null", "example.com", "example.com:3000", "https://example.com", "https://example.com:8443",
		"http://[::1]:3000", "[::1]", "[::1]:80", "http://127.0.0.1:1", "chrome-extension://abcdef", "localhost",
	} {
		good(t, origin, map[string]string{s: s})
	}
	bad(t, origin, "", "https://", "https://example.com/", "example.com/x", "://example.com", "1https://example.com",
		"*.example.com", "https://*", "example.com:", "example.com:0", "example.com:65536", "example.com:x", "a b",
		"user@example.com", "::1", "https://::1", "[::1]:", "http:example.com", "file:///")
}

func TestShellWords(t *testing.T) {
	for want, words := range map[string][]string{
		`a --b=c ./d.sh 'e f' ''`: {"a", "--b=c", "./d.sh", "e f", ""},
		`'it'\''s' '$x' '*'`:      {"it's", "$x", "*"},
		`$'a\nb' $'\r' '[::]'`:    {"a\nb", "\r", "[::]"},
		`$'it\'s\n\"'`:            {"it's\n\""},
	} {
		if got := shellWords(words...); got != want {
			t.Errorf("%q: got %s, want %s", words, got, want)
		}
	}
}

func TestSocketValues(t *testing.T) {
	good(t, socketMode, map[string]fs.FileMode{"0660": 0o660, "600": 0o600, "0777": 0o777})
	bad(t, socketMode, "", "0", "8", "0x1", "-1", "01777", "rw")
	good(t, socketPath, map[string]string{"/run/w.sock": "/run/w.sock", "./@x": "./@x"})
	bad(t, socketPath, "", "@x")
}

func TestProxy(t *testing.T) {
	good(t, proxy, map[string]string{"10.0.0.0/8": "10.0.0.0/8", "::1": "::1", "127.0.0.1": "127.0.0.1", "unix": "unix"})
	bad(t, proxy, "", "10.0.0.0/33", "localhost", "10.0.0", "[::1]", "unix:", "10.0.0.1:80")
}

func TestHeader(t *testing.T) {
	good(t, header, map[string]server.Header{
		"Server: me": {Name: "Server", Value: "me"}, "a:": {Name: "a"}, " a : b:c ": {Name: "a", Value: "b:c"},
	})
	bad(t, header, "", "Server", ": x", "a b: c", "a: b\nc: d", "a: \x00", "Content-Length: 1", "upgrade: x", "Sec-WebSocket-Accept: x")
}

func TestCredentials(t *testing.T) {
	good(t, credentials, map[string]string{"a:b": "a:b", "a:b:c": "a:b:c", "ä: ö": "ä: ö"})
	bad(t, credentials, "", "ab", ":b", "a:", "a:b\n", "a\tb:c")
}
