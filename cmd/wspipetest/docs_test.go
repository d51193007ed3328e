//go:build unix

package wspipetest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"wspipe/cmd/wspipetest"
)

// notRun gives the reason for each ```sh block, by its first words, that TestDocs
// does not run.
var notRun = map[string]string{
	"git tag":        "builds for seven platforms",
	"make run":       "serves until it is interrupted, and runs all tests",
	"make test-wine": "needs Wine",
	"make install":   "writes to /usr/local and /etc",
	"install -d":     "needs root and another user",
	"sudo wspipe":    "needs root",
	"docker load":    "needs a container daemon",
	"wspipe docker":  "needs a container daemon",
	"go build":       "needs the source code, and is tested there",
}

// TestDocs follows every page as a reader would, in an empty directory. The
// blocks of a page are run in order, by their language:
//
//   - sh: a line that starts wspipe as a server runs in the background until the
//     page starts another on the same port; everything else runs in bash and must
//     succeed. Port 8080 of a page is some free port in the test.
//   - text, right after sh: what that block printed, stdout and stderr, if it was run.
//   - log: lines that the latest server writes to stderr.
//
// IDs, times and ports differ from run to run and are not compared.
func TestDocs(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		if strings.HasPrefix(page, translations) {
			continue // TestDocsTranslations compares their commands with those of the original
		}
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text := read(t, filepath.Join("../..", page))
			if strings.Contains(text, "\n  bwrap ") {
				needBubblewrap(t)
			}
			if strings.Contains(text, "--experimental-websocket") {
				wspipetest.NeedNodeWebSocket(t)
			}
			r := newReader(t)
			for _, b := range blocks(text) {
				r.follow(b)
			}
		})
	}
}

// pages returns README.md and the pages of docs and examples, relative to the
// repository.
func pages(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "examples/README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "docs/*/*/*.md"} {
		found, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			names = append(names, strings.TrimPrefix(name, "../../"))
		}
	}
	return names
}

// block is a fenced code block.
type block struct{ language, text string }

// firstWords returns the first two words of b.
func (b block) firstWords() string {
	words := strings.Fields(b.text)
	return strings.Join(words[:min(2, len(words))], " ")
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

func blocks(page string) (all []block) {
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// reader follows the commands of one page.
type reader struct {
	t       *testing.T
	dir     string
	env     []string
	servers map[string]*wspipetest.Server // by the port or socket in the page
	ports   map[string]string             // in the page, by the port in fact
	latest  *wspipetest.Server
	output  string // of the latest sh block
	ran     bool   // the latest sh block was run
}

func newReader(t *testing.T) *reader {
	t.Helper()
	for _, program := range []string{"bash", "curl", "gcc", "jq", "node", "openssl", "perl", "python3", "redis-server", "top"} {
		wspipetest.Need(t, program)
	}
	r := &reader{t: t, dir: t.TempDir(), servers: map[string]*wspipetest.Server{}, ports: map[string]string{}}
	bin := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		filepath.Join(bin, "wspipe"):     wspipetest.Binary(t),
		filepath.Join(bin, "websocketd"): wspipetest.Binary(t),
		filepath.Join(bin, "gopls"):      wspipetest.Need(t, "true"), // is started, but never used
		filepath.Join(r.dir, "examples"): filepath.Join(root, "examples"),
		filepath.Join(r.dir, "docs"):     filepath.Join(root, "docs"),
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+r.dir, "GORACE=atexit_sleep_ms=0")
	return r
}

// needBubblewrap skips the test, as Lack does, where bwrap cannot make a sandbox.
func needBubblewrap(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(wspipetest.Need(t, "bwrap"), "--ro-bind", "/", "/", "--unshare-all", "true").CombinedOutput(); err != nil {
		wspipetest.LackPermission(t, "bwrap --unshare-all", out)
	}
}

func (r *reader) follow(b block) {
	r.t.Helper()
	switch b.language {
	case "sh":
		r.output = ""
		if r.ran = notRun[b.firstWords()] == ""; r.ran {
			r.run(b.text)
		}
	case "text":
		if !r.ran {
			break
		}
		if got := r.normal(r.output); got != r.normal(b.text) {
			r.t.Errorf("the page says\n%s\nbut the commands print\n%s", b.text, got)
		}
	case "log":
		for line := range strings.Lines(b.text) {
			r.latest.AwaitStderrFunc(line, func(stderr string) bool { return strings.Contains(r.normal(stderr), r.normal(line)) })
		}
	}
}

var heredoc = regexp.MustCompile(`<<'?(\w+)'?`)

// run runs the logical lines of a sh block: servers one by one, what is between
// them as one script.
func (r *reader) run(text string) {
	r.t.Helper()
	var script []string
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for len(lines) > 0 {
		n := 1
		if m := heredoc.FindStringSubmatch(lines[0]); m != nil {
			for n++; lines[n-1] != m[1]; n++ {
			}
		}
		for strings.HasSuffix(lines[n-1], `\`) {
			n++
		}
		line := strings.Join(lines[:n], "\n")
		lines = lines[n:]
		if isServer(line) {
			r.bash(script)
			script = nil
			r.serve(line)
			continue
		}
		script = append(script, line)
	}
	r.bash(script)
}

var server = regexp.MustCompile(`^(\w+=\S+ )*(wspipe|websocketd) `)
var client = regexp.MustCompile(`^\S+ (connect|completion|kill|ps|replay|man|help|--help|--version|--license|-h)\b|; echo "status \$\?"$`)

func isServer(line string) bool { return server.MatchString(line) && !client.MatchString(line) }

// bash runs lines as a script and keeps what it prints.
func (r *reader) bash(lines []string) {
	r.t.Helper()
	if len(lines) == 0 {
		return
	}
	script := strings.Join(lines, "\n")
	for real, port := range r.ports {
		script = regexp.MustCompile(`\b`+port+`\b`).ReplaceAllString(script, real)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), wspipetest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Errorf("%s\n%v\n%s", script, err, out)
	}
	r.output += string(out)
}

var (
	portFlag      = regexp.MustCompile(` --?port[= ](\d+)`)
	redirportFlag = regexp.MustCompile(`--redirport=\d+ `)
)

// serve starts the server of that line in place of an older one on its port.
func (r *reader) serve(line string) {
	r.t.Helper()
	port := "8080"
	if strings.Contains(line, "--ssl ") {
		port = "8443"
	}
	if m := portFlag.FindStringSubmatch(line); m != nil {
		port, line = m[1], strings.Replace(line, m[0], " --port=0", 1)
	} else if !strings.Contains(line, "--unixsocket=") {
		line = server.ReplaceAllString(line, "$0--port=0 ")
	}
	line = redirportFlag.ReplaceAllString(line, "") // 0 is no port for it
	if s := r.servers[port]; s != nil {
		s.Signal(syscall.SIGTERM)
		s.Wait()
	}
	cmd := exec.Command("bash", "-c", "exec env "+line)
	cmd.Dir, cmd.Env = r.dir, r.env
	s := wspipetest.StartCommand(r.t, cmd)
	r.servers[port], r.latest = s, s
	if u := regexp.MustCompile(`:(\d+)/`).FindStringSubmatch(s.WS); u != nil {
		for real, old := range r.ports {
			if old == port {
				delete(r.ports, real)
			}
		}
		r.ports[u[1]] = port
	}
}

var variable = regexp.MustCompile(`(time|session|pid|duration|remote)=\S+|"(time|session|remote|since)":"[^"]*"|"(pid|duration)":[^,}]*|\b[0-9a-f]{32}\b`)

// psRow has what varies in a line of wspipe ps, and by which it varies in width.
var psRow = regexp.MustCompile(`(?m)^([0-9a-f]{32} .*)127\.0\.0\.1:\d+ +\d+( +\d+ +)\d+s( .*)$`)
var blanks = regexp.MustCompile(` +`)

// traced has what varies in a line of wspipe connect --trace: the time, the masking key, the round trip, the handshake's key.
var (
	traced       = regexp.MustCompile(`(?m)^\d+\.\d{6} ([<>=] )`)
	maskingKey   = regexp.MustCompile(`mask=[0-9a-f]{8}( .*header=[0-9a-f]+)[0-9a-f]{8} `)
	roundTrip    = regexp.MustCompile(`rtt=\S+`)
	handshakeKey = regexp.MustCompile(`(?m)^([<>] Sec-Websocket-(?:Key|Accept): ).*|^(= Sec-WebSocket-Accept: key ).*`)
)

// normal returns text with the ports of the page, and without what differs from
// run to run.
func (r *reader) normal(text string) string {
	for real, port := range r.ports {
		text = strings.ReplaceAll(text, real, port)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n") // of a terminal
	if psRow.MatchString(text) {
		text = blanks.ReplaceAllString(psRow.ReplaceAllString(text, "$1$2$3"), " ")
	}
	text = traced.ReplaceAllString(text, "$1")
	text = maskingKey.ReplaceAllString(text, "mask=KEY${1}KEY ")
	text = roundTrip.ReplaceAllString(text, "rtt=")
	text = handshakeKey.ReplaceAllString(text, "$1$2 varies")
	return variable.ReplaceAllString(text, "$1$2$3 varies")
}
