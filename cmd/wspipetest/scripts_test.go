//go:build unix

package wspipetest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"wspipe/cmd/wspipetest"
)

// brokenScripts are scripts that cannot be executed, and what the log says to do
// about each, with FILE for its path.
var brokenScripts = []struct{ name, content, reason, hint string }{
	{"mode", "#!/bin/sh\n", "not executable", "chmod +x FILE"},
	{"crlf", "#!/bin/sh\r\necho\r\n", "bad interpreter", `sed -i 's/\r$//' FILE`},
	{"mark", "\ufeff#!/bin/sh\necho\n", "begins with a byte order mark instead of #!", `sed -i '1s/^\xEF\xBB\xBF//' FILE`},
	{"bare", "echo\n", "not an executable for this machine, nor a script that begins with #!", "such as #!/bin/sh"},
}

// TestLogSaysHowToRepairScripts of --dir and --cgidir, as it is said of COMMAND at
// the start. A data file beside them stays a 404.
func TestLogSaysHowToRepairScripts(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--dir=", "--cgidir="} {
		dir := t.TempDir()
		for _, script := range brokenScripts {
			mode := os.FileMode(0o755)
			if script.name == "mode" {
				mode = 0o644
			}
			wspipetest.WriteMode(t, filepath.Join(dir, script.name), script.content, mode)
		}
		writeFiles(t, dir, map[string]string{"data.txt": "secret"})
		s := startSite(t, nil, flag+dir, "--log-format=json")
		fields := "Connection: close\r\n"
		if flag == "--dir=" {
			fields = upgradeFields
		}
		ask := func(name string) answer {
			t.Helper()
			v, err := s.dial(t, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			a, err := v.ask("GET /" + name + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n")
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		for _, script := range brokenScripts {
			a := ask(script.name)
			if a.StatusCode != http.StatusSwitchingProtocols && !strings.Contains(a.body, script.reason) {
				t.Errorf("%s%s: got %d %q", flag, script.name, a.StatusCode, a.body)
			}
			hint := strings.ReplaceAll(script.hint, "FILE", filepath.Join(dir, script.name))
			s.AwaitStderr(strings.ReplaceAll(hint, `\`, `\\`) + `"`)
		}
		if a := ask("data.txt"); a.StatusCode != 404 || strings.Contains(a.body, "data.txt") {
			t.Errorf("%sdata.txt: got %d %q", flag, a.StatusCode, a.body)
		}
	}
}
