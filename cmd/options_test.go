package cmd

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"wspipe/bridge"
	"wspipe/bridge/framing"
	"wspipe/process"
	"wspipe/server"
	"wspipe/server/access"
	"wspipe/server/listen"
)

// parse returns the options for args.
func parse(t *testing.T, args ...string) *options {
	t.Helper()
	o := &options{}
	flags := pflag.NewFlagSet("wspipe", pflag.ContinueOnError)
	o.addFlags(flags)
	line := parseArgs(args, "wspipe", flags)
	o.errs = line.errs
	if err := flags.Parse(line.args()); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestDefaults(t *testing.T) {
	want := server.Config{
		Sockets: listen.Sockets{Port: 8080},
		Endpoint: server.Endpoint{PassEnv: defaultPassEnv,
			MaxMessage:   1 << 20,
			PingInterval: 30 * time.Second,
			ResumeBuffer: 1 << 20},
		MaxChildren: 1024,
		Software:    "wspipe/" + version(),
	}
	if got, err := parse(t).config(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// The defaults that help shows are those of flags that are not given.
func TestShownDefaultsAreTrue(t *testing.T) {
	want, err := parse(t).config()
	if err != nil {
		t.Fatal(err)
	}
	knownFlags().VisitAll(func(f *pflag.Flag) {
		if f.DefValue == "" {
			return
		}
		o := parse(t, "--"+f.Name+"="+f.DefValue)
		got, err := o.config()
		if err != nil || !reflect.DeepEqual(got, want) || o.logLevel != server.LevelAccess || o.logFormat != formatText {
			t.Errorf("--%s=%s: got %+v, %v", f.Name, f.DefValue, o, err)
		}
	})
}

func TestEachFlag(t *testing.T) {
	tests := []struct {
		args []string
		want func(*server.Config)
	}{
		{[]string{"--port=0"}, func(c *server.Config) { c.Port = 0 }},
		{[]string{"--address=[::1]", "--address", "0.0.0.0"}, func(c *server.Config) { c.Addresses = []string{"::1", "0.0.0.0"} }},
		{[]string{"--unixsocket=/run/w.sock"}, func(c *server.Config) { c.UnixSocket = "/run/w.sock" }},
		{[]string{"--unixsocket=w.sock", "--unixsocket-mode=0660", "--address=::1", "--port=81"}, func(c *server.Config) {
			c.UnixSocket, c.UnixSocketMode, c.Addresses, c.Port = "w.sock", 0o660, []string{"::1"}, 81
		}},
		{[]string{"--ssl", "--sslcert=c", "--sslkey=k"}, func(c *server.Config) { c.TLS, c.Port = &listen.TLS{Cert: "c", Key: "k"}, 8443 }},
		{[]string{"--ssl", "--sslcert=c", "--sslkey=k", "--sslca=a", "--port=443"}, func(c *server.Config) {
			c.TLS, c.Port = &listen.TLS{Cert: "c", Key: "k", ClientCA: "a"}, 443
		}},
		{[]string{"--redirport=80"}, func(c *server.Config) { c.RedirectPort = 80 }},
		{[]string{"--dir=d", "--staticdir=s", "--cgidir=c"}, func(c *server.Config) { c.Dir, c.StaticDir, c.CGIDir = "d", "s", "c" }},
		{[]string{"--devconsole"}, func(c *server.Config) { c.Console = true }},
		{[]string{"--header=A: b", "--header=a:c:d", "--header-ws=X-W:", "--header-http=X-H:\tü"}, func(c *server.Config) {
			c.Headers = []server.Header{{Name: "A", Value: "b"}, {Name: "a", Value: "c:d"}}
			c.HeadersWS, c.HeadersHTTP = []server.Header{{Name: "X-W"}}, []server.Header{{Name: "X-H", Value: "ü"}}
		}},
		{[]string{"--reverselookup"}, func(c *server.Config) { c.Endpoint.ReverseLookup = true }},
		{[]string{"--basic-auth=me:se:cret"}, func(c *server.Config) { c.Auth.Basic = "me:se:cret" }},
		{[]string{"--htpasswd=h", "--token-file=t"}, func(c *server.Config) { c.Auth.HtpasswdFile, c.Auth.TokenFile = "h", "t" }},
		{[]string{"--auth-header=X-User", "--trusted-proxy=10.1.2.3/8, ::1", "--trusted-proxy=unix"}, func(c *server.Config) {
			c.Auth.ProxyHeader = "X-User"
			c.TrustedProxies = access.TrustedProxies{
				Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, Unix: true,
			}
		}},
		{[]string{"--framing=bytes"}, func(c *server.Config) { c.Endpoint.Framing = framing.Bytes }},
		{[]string{"--framing=bytes", "--framing=lines"}, func(c *server.Config) {}},
		{[]string{"-binary"}, func(c *server.Config) { c.Endpoint.Framing = framing.Bytes }},
		{[]string{"--binary=false"}, func(c *server.Config) {}},
		{[]string{"--binary", "--framing=bytes"}, func(c *server.Config) { c.Endpoint.Framing = framing.Bytes }},
		{[]string{"--passstderr"}, func(c *server.Config) { c.Endpoint.Framing = framing.JSON }},
		{[]string{"--framing=lsp", "--passstderr=false"}, func(c *server.Config) { c.Endpoint.Framing = framing.LSP }},
		{[]string{"--pty", "--size=132x43"}, func(c *server.Config) {
			c.Endpoint.Framing = framing.Bytes
			c.Endpoint.Child.Terminal, c.Endpoint.Child.Size = process.FullTerminal, process.WindowSize{Rows: 43, Cols: 132}
		}},
		{[]string{"--line-buffered"}, func(c *server.Config) { c.Endpoint.Child.Terminal = process.StdoutTerminal }},
		{[]string{"--share=broadcast"}, func(c *server.Config) { c.Endpoint.Share = server.ShareBroadcast }},
		{[]string{"--share=mux", "--share-by=query:room"}, func(c *server.Config) {
			c.Endpoint.Share, c.Endpoint.ShareBy = server.ShareMux, server.ShareBy{Query: "room"}
		}},
		{[]string{"--share=mux"}, func(c *server.Config) { c.Endpoint.Share = server.ShareMux }},
		{[]string{"--share=broadcast", "--replay=20", "--linger=5m", "--slow=drop", "--readonly"}, func(c *server.Config) {
			c.Endpoint.Share, c.Endpoint.Replay, c.Endpoint.Linger, c.Endpoint.Slow, c.Endpoint.ReadOnly = server.ShareBroadcast, 20, 5*time.Minute, bridge.SlowDrop, true
		}},
		{[]string{"--share=broadcast", "--linger=-1", "--slow=block", "--maxframesize=3GiB"}, func(c *server.Config) {
			c.Endpoint.Share, c.Endpoint.Linger, c.Endpoint.Slow, c.Endpoint.MaxMessage = server.ShareBroadcast, -1, bridge.SlowBlock, 3<<30
		}},
		{[]string{"--no-auth"}, func(c *server.Config) { c.NoAuth = true }},
		{[]string{"--maxframesize=2KiB"}, func(c *server.Config) { c.Endpoint.MaxMessage = 2048 }},
		{[]string{"--maxframesize=0"}, func(c *server.Config) { c.Endpoint.MaxMessage = 0 }},
		{[]string{"--subprotocol=b,a", "--subprotocol=c"}, func(c *server.Config) { c.Endpoint.Subprotocols = []string{"b", "a", "c"} }},
		{[]string{"--compress"}, func(c *server.Config) { c.Endpoint.Compress = true }},
		{[]string{"--pingms=0"}, func(c *server.Config) { c.Endpoint.PingInterval = 0 }},
		{[]string{"--maxforks=0"}, func(c *server.Config) { c.MaxChildren = 0 }},
		{[]string{"--maxforks=-1"}, func(c *server.Config) { c.MaxChildren = 0 }},
		{[]string{"--max-runtime=1m"}, func(c *server.Config) { c.Endpoint.MaxRuntime = time.Minute }},
		{[]string{"--idle-timeout=2m"}, func(c *server.Config) { c.Endpoint.IdleTimeout = 2 * time.Minute }},
		{[]string{"--closems=300"}, func(c *server.Config) { c.Endpoint.Child.Grace = 300 * time.Millisecond }},
		{[]string{"--closems=-1"}, func(c *server.Config) { c.Endpoint.Child.Grace = process.WaitForever }},
		{[]string{"--exit-close-code"}, func(c *server.Config) { c.Endpoint.ExitCloseCode = true }},
		{[]string{"--once"}, func(c *server.Config) { c.Once = true }},
		{[]string{"--exit-when-idle=5s"}, func(c *server.Config) { c.ExitWhenIdle = 5 * time.Second }},
		{[]string{"--origin=a.example, null", "--origin=*"}, func(c *server.Config) { c.Origins = []string{"a.example", "null", "*"} }},
		{[]string{"--sameorigin=false"}, func(c *server.Config) { c.Origins = []string{"*"} }},
		{[]string{"--sameorigin"}, func(c *server.Config) {}},
		{[]string{"--sameorigin=false", "--origin=a.example"}, func(c *server.Config) { c.Origins = []string{"a.example"} }},
		{[]string{"--host=pi.lan,[::1]", "--host=pi"}, func(c *server.Config) { c.Hosts = []string{"pi.lan", "::1", "pi"} }},
		{[]string{"--max-per-ip=3"}, func(c *server.Config) { c.MaxPerIP = 3 }},
		{[]string{"--passenv=A,B", "--passenv=C"}, func(c *server.Config) { c.Endpoint.PassEnv = []string{"A", "B", "C"} }},
		{[]string{"--passenv="}, func(c *server.Config) { c.Endpoint.PassEnv = []string{} }},
		{[]string{"--setenv=A=1,2", "--setenv", "B="}, func(c *server.Config) { c.Endpoint.SetEnv = []string{"A=1,2", "B="} }},
	}
	for _, test := range tests {
		want, _ := parse(t).config()
		test.want(&want)
		if got, err := parse(t, test.args...).config(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v\nwant %+v", test.args, got, err, want)
		}
	}
}

// Every flag has a heading in help, and each heading occurs once.
func TestFlagGroups(t *testing.T) {
	var groups []string
	byGroup(knownFlags(), func(group string) { groups = append(groups, group) }, func(*pflag.Flag) {})
	want := []string{"Listening", "Content", "Parameters", "Messages", "Terminals", "Sharing", "Sessions", "Lifetime", "Environment", "Limits", "Access", "Administration", "Log", "Other"}
	if !slices.Equal(groups, want) {
		t.Errorf("got %q, want %q", groups, want)
	}
}

func TestLevels(t *testing.T) {
	for name, other := range map[string]string{"debug": "trace", "trace": "access", "access": "info", "info": "warn", "warn": "error", "error": "fatal", "fatal": "none"} {
		level, err := parseLevel(name)
		if err != nil {
			t.Fatal(err)
		}
		above, err := parseLevel(other)
		if err != nil {
			t.Fatal(err)
		}
		if level >= above || levelName(level) != name {
			t.Errorf("%s: level %d called %s, beside %s: %d", name, level, levelName(level), other, above)
		}
	}
	if got := levelName(math.MinInt); got != "debug" {
		t.Errorf("the lowest level is called %s", got)
	}
}

func TestLogNamesLevels(t *testing.T) {
	for format, want := range map[string]string{formatText: "level=access msg=connect level=x took=2ms", formatJSON: `"level":"access","msg":"connect","level":"x","took":"2ms"`} {
		var out strings.Builder
		log := newLog(&out, format, server.LevelAccess)
		log.Log(t.Context(), server.LevelAccess, "connect", "level", "x", "took", 2*time.Millisecond)
		log.Log(t.Context(), server.LevelAccess-1, "hidden")
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "hidden") {
			t.Errorf("%s: got %q, want %q in it", format, got, want)
		}
	}
}

// Values from clients and children can neither control the terminal that shows the log nor
// fill the disk.
func TestLogIsHarmless(t *testing.T) {
	const hostile = "/\u0085\u009b31m\x7f\u202e\u2066\u200f\u061c\U000e0041\x80grüße 👋"
	long := strings.Repeat("\x80\n", 30<<10)
	for _, format := range []string{formatText, formatJSON} {
		var out strings.Builder
		log := newLog(&out, format, server.LevelAccess).With("remote", hostile)
		log.Info(hostile, "path", hostile, "line", hostile, "error", errors.New(hostile))
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || !strings.Contains(out.String(), "grüße 👋") {
			t.Errorf("%s: got %q", format, out.String())
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(out.String()), &got); format == formatJSON && (err != nil || got["path"] != strings.ToValidUTF8(hostile, "\ufffd")) {
			t.Errorf("decoded %q %v", got["path"], err)
		}
		out.Reset()
		log.Info(long, "path", long, "method", long, "error", errors.New(long))
		if n := out.Len(); n > 32<<10 || !strings.Contains(out.String(), "... (61440 bytes)") {
			t.Errorf("%s: a record of %d bytes", format, n)
		}
		out.Reset()
		if log.Info("stderr", "line", strings.Repeat("x", 1<<20)); out.Len() < 1<<20 { // one record per line, whatever its length
			t.Errorf("%s: the line of a child is cut: %d bytes", format, out.Len())
		}
	}
}
