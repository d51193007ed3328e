//go:build unix

package examples_test

import (
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wspipe/cmd/wspipetest"
)

// TestEventsPage: it gets each line once, over connections that are cut.
func TestEventsPage(t *testing.T) {
	t.Parallel()
	b := browser(t)
	log := filepath.Join(t.TempDir(), "log")
	add(t, log, "<b>1</b>\n")
	server := wspipetest.Start(t, "--staticdir=html", "--http", "--resume=1m", "sh", "-c", `tail -n 200 -F "$1" | sed -u /bye/q; exit 3`, "sh", log)
	network := wspipetest.NewCutter(t, server)
	b.do(chromedp.Navigate("http://" + network.Addr().String() + "/events.html"))
	const lines = `[...document.getElementById("log").children].map((line) => line.textContent).join("\n")`
	want := "<b>1</b>"
	b.until(lines, want)
	for _, line := range []string{"2", "3", "4"} {
		network.Cut()
		add(t, log, line+"\n")
		want += "\n" + line
		b.until(lines, want)
		b.untilShown("state", "open")
	}
	add(t, log, "bye\n")
	b.untilShown("state", "closed 1000 exit 3")
	b.until(lines, want+"\nbye")
}

// curl runs curl, at path of server, and returns what it prints.
func curl(t *testing.T, server *wspipetest.Server, path, stdin string, args ...string) string {
	t.Helper()
	address := strings.Replace(strings.TrimSuffix(server.WS, "/"), "ws", "http", 1) + path
	cmd := exec.CommandContext(t.Context(), wspipetest.Need(t, "curl"), append([]string{"-sS", address}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("curl: %v: %s", err, out)
	}
	return string(out)
}

// TestFilters of standard programs, by POST.
func TestFilters(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "jq")
	for _, test := range []struct {
		command   []string
		in, query string
		want      string
	}{
		{[]string{"sort"}, "b\nc\na\n", "", "a\nb\nc\n"},
		{[]string{"--param=field:word", "jq", "-r", ".[env.PARAM_field]"}, `{"name": "Ada", "age": 36}`, "?field=name", "Ada\n"},
	} {
		server := wspipetest.Start(t, append([]string{"--http"}, test.command...)...)
		if got := curl(t, server, "/"+test.query, test.in, "--data-binary", "@-"); got != test.want {
			t.Errorf("%q: got %q, want %q", test.command, got, test.want)
		}
	}
}

func TestUploadAndDownload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const name = `--param=name:/(\w[\w.-]*)?/=`
	up := wspipetest.Start(t, "--http", "--binary", strings.Replace(name, "?/=", "/", 1), example(t, "bash/upload.sh"), dir)
	down := wspipetest.Start(t, "--http", "--binary", name, example(t, "bash/download.sh"), dir)
	content := strings.Repeat("\x00\xff\r\n", 100_000)
	file := filepath.Join(t.TempDir(), "file")
	add(t, file, content)
	for _, name := range []string{"a.bin", "b"} {
		if got := curl(t, up, "/?name="+name, "", "-T", file); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if got := curl(t, down, "/", ""); got != "a.bin\nb\n" {
		t.Errorf("got %q", got)
	}
	if got := curl(t, down, "/?name=a.bin", ""); got != content {
		t.Errorf("got %d bytes, want %d", len(got), len(content))
	}
	for _, request := range []struct {
		server *wspipetest.Server
		name   string
	}{{down, "none"}, {down, ".."}, {down, "../file"}, {up, ".hidden"}, {up, "a/b"}, {up, ""}} {
		got := curl(t, request.server, "/?name="+url.QueryEscape(request.name), "x", "-o", os.DevNull, "-w", "%{http_code}", "--data-binary", "@-")
		if got != "400" && (request.name != "none" || got != "500") {
			t.Errorf("%q: got status %s", request.name, got)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("there are %v, %v", files, err)
	}
}

// TestUploadThatBreaksOff leaves nothing.
func TestUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := wspipetest.Start(t, "--http", "--binary", `--param=name:word`, example(t, "bash/upload.sh"), dir)
	u, err := url.Parse(server.WS)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "PUT /?name=half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 50_000))
	wspipetest.Eventually(t, "a part is stored", func() bool {
		files, err := filepath.Glob(filepath.Join(dir, ".*"))
		return err == nil && len(files) == 1
	})
	conn.Close()
	server.AwaitStderr("msg=disconnect")
	wspipetest.Eventually(t, "the part is removed", func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && len(files) == 0
	})
}
