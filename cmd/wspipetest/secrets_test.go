//go:build linux

package wspipetest_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"wspipe/cmd/wspipetest"
)

// cores are parts of the secrets below that no quoting changes.
var cores = []string{"sesame4711", "hunter1234", "kumquat0815", "rutabaga23", "okapi9001", "unused5678"}

// Around its core, each secret has what may be quoted or encoded somewhere.
const (
	strangePassword     = `a:"\ %2B&<sesame4711>;=?ö+/~'` + "`$"
	strangeFilePassword = `b:"\ %&<hunter1234>;=?ü+/~`
	strangeToken        = "T-._~+/kumquat0815+/=="
	strangeWrong        = `c:"\ %2B&<rutabaga23>;=?ö+/~'`
	strangeWrongToken   = "W-._~+/okapi9001+/=="
	strangeUnused       = "someone:unused5678"
)

var percentCode = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// leaked returns the cores of the secrets that text tells: as they are,
// percent-encoded, or within anything that has become base64.
func leaked(text string) (found []string) {
	decoded := percentCode.ReplaceAllStringFunc(text, func(code string) string {
		b, _ := strconv.ParseUint(code[1:], 16, 8)
		return string([]byte{byte(b)})
	})
	for _, core := range cores {
		forms := []string{core}
		for shift := range 3 { // by how many bytes of a group stand before it
			whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + core))
			// What bytes beside the core have a part in is cut off.
			first, last := (shift*8+5)/6, (shift+len(core))*8/6
			forms = append(forms, whole[first:last])
		}
		for _, form := range forms {
			urlForm := strings.NewReplacer("+", "-", "/", "_").Replace(form)
			for _, text := range []string{text, decoded} {
				if strings.Contains(text, form) || strings.Contains(text, urlForm) {
					found = append(found, form)
				}
			}
		}
	}
	return found
}

func TestLeaked(t *testing.T) {
	for _, text := range []string{
		strangePassword, url.QueryEscape(strangeToken), percentEncoded(strangeWrong), wspipetest.Authorization("alice", strangePassword), wspipetest.Authorization("alic", strangePassword), wspipetest.Authorization("ali", strangePassword),
		wspipetest.OfferedToken(strangeToken), wspipetest.OfferedToken("x" + strangeToken), wspipetest.OfferedToken("xx" + strangeToken), strconv.Quote(strangeWrong), wspipetest.OfferedToken(strangeWrongToken),
	} {
		if leaked(text) == nil {
			t.Errorf("%s is not found", text)
		}
	}
	if found := leaked("GET /?x=sesame 4712"); found != nil {
		t.Errorf("found %q", found)
	}
}

// percentEncoded encodes every byte.
func percentEncoded(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// tells is a directory tree with programs that write all that they were told
// to a file in $DUMP.
var tells = map[string]string{
	"ws/talk":               tell + "echo talk; cat >>\"$DUMP/$$\"\n",
	"cgi/run":               tell + `printf 'Content-Type: text/plain\r\n\r\nrun'; cat >>"$DUMP/$$"` + "\n",
	"cgi/bad":               tell + "echo bad\n",
	"static/a.txt":          "file",
	"static/sub/index.html": "index",
}

const tell = "#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline >\"$DUMP/$$\"\n"

// carriers are ways in which right and wrong secrets may come.
func carriers() (list []proof) {
	for _, password := range []string{strangePassword, strangeFilePassword, strangeWrong} {
		user := map[string]string{strangePassword: "alice", strangeFilePassword: "bob", strangeWrong: "alice"}[password]
		add := func(name string, fields ...string) {
			list = append(list, proof{name: name + " " + user + ":" + password, fields: fields})
		}
		add("basic", wspipetest.Authorization(user, password))
		add("lower-case basic", "authorization: basic "+pair(user, password))
		add("basic twice", wspipetest.Authorization(user, password), wspipetest.Authorization(user, password))
		add("basic in clear", "Authorization: Basic "+user+":"+password)
		add("basic in base64url", "Authorization: Basic "+base64.RawURLEncoding.EncodeToString([]byte(user+":"+password)))
		add("no scheme", "Authorization: "+password)
		add("bearer", "Authorization: Bearer "+pair(user, password))
		add("digest", `Authorization: Digest username="`+user+`", response="`+password+`"`)
	}
	for _, token := range []string{strangeToken, strangeWrongToken} {
		fields := func(name string, fields ...string) {
			list = append(list, proof{name: name + " " + token, fields: fields})
		}
		fields("bearer", "Authorization: Bearer "+token)
		fields("bearer twice", "Authorization: Bearer "+token, "Authorization: Bearer "+token)
		fields("bearer with more", "Authorization: bearer   "+token+" x, y")
		fields("no scheme", "Authorization: "+token)
		fields("token as password", wspipetest.Authorization("alice", token))
		fields("subprotocol", "Sec-WebSocket-Protocol: "+wspipetest.OfferedToken(token))
		fields("subprotocol beside one", "Sec-WebSocket-Protocol: demo, "+wspipetest.OfferedToken(token))
		fields("subprotocol in two lines", "Sec-WebSocket-Protocol: demo", "sec-websocket-protocol: "+wspipetest.OfferedToken(token)+", other")
		fields("padded subprotocol", "Sec-WebSocket-Protocol: "+wspipetest.OfferedToken(token)+"==, demo")
		fields("subprotocol in clear", "Sec-WebSocket-Protocol: demo, "+wspipetest.TokenSubprotocol+token)
		fields("referer", "Referer: http://127.0.0.1/?a=1&access_token="+url.QueryEscape(token)+"&b=2")
		fields("referer, encoded", "Referer: /a?%61ccess_token="+percentEncoded(token))
		for _, query := range []string{
			"access_token=" + url.QueryEscape(token), "a=1&access_token=" + percentEncoded(token) + "&b=2", "%61ccess%5Ftoken=" + url.QueryEscape(token),
			"access_token=" + token, "access_token=" + url.PathEscape(token), "access_token=" + token + "%zz", "access_token=" + token + "&access_token=" + token,
			"a=1;access_token=" + token, "access_token=" + token + ";a=1", "access_token==" + token, "access_token=?" + token, "&&access_token=" + token + "&",
		} {
			list = append(list, proof{name: query, query: query})
		}
	}
	return list
}

// secretRequests are requests for each kind of answer with each carrier, alone
// and beside a right proof of another kind.
func secretRequests(host string) (requests []string) {
	right := []proof{{fields: []string{wspipetest.Authorization("alice", strangePassword)}}, {query: "access_token=" + url.QueryEscape(strangeToken)}}
	for _, rt := range []route{
		{line: "GET /talk HTTP/1.1", fields: upgradeFields},
		{line: "GET http://alice:sesame4711@{host}/talk/more HTTP/1.1", fields: upgradeFields},
		{line: "GET /talk HTTP/1.1", fields: "Origin: http://{host}.evil.example\r\n" + upgradeFields},
		{line: "GET /talk HTTP/1.1", fields: "Sec-WebSocket-Protocol: unknown\r\n" + upgradeFields},
		{line: "GET /talk HTTP/1.1", fields: "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"},
		{line: "GET /none HTTP/1.1", fields: upgradeFields},
		{line: "GET /run HTTP/1.1"},
		{line: "POST /run/info HTTP/1.1", body: "body"},
		{line: "POST /run HTTP/1.1", fields: "Sec-Fetch-Site: cross-site\r\n", body: "body"},
		{line: "GET /bad HTTP/1.1"},
		{line: "GET /a.txt HTTP/1.1"},
		{line: "POST /a.txt HTTP/1.1", body: "body"},
		{line: "GET /sub HTTP/1.1"},
		{line: "GET http://alice:sesame4711@{host}/sub?x=1 HTTP/1.1"},
		{line: "GET /console HTTP/1.0"},
		{line: "GET http://evil.example/a.txt HTTP/1.1"},
		// These are no HTTP:
		{line: "GET /a.txt HTTP/9.9"},
		{line: "GET /a.txt x HTTP/1.1"},
		{line: "GET /a.txt HTTP/1.1", fields: "Host: two\r\n"},
		{line: "GET /a.txt HTTP/1.1", fields: "no colon\r\n"},
		{line: "GET /a.txt HTTP/1.1", fields: "Control: \x01\r\n"},
		{line: "GET /%zz HTTP/1.1"},
		{line: "GET :sesame4711@{host} HTTP/1.1"},
		{line: "POST /run HTTP/1.1", fields: "Transfer-Encoding: identity\r\n"},
	} {
		rt.fields = strings.ReplaceAll(rt.fields, "{host}", host)
		for i, p := range carriers() {
			requests = append(requests, rt.request(host, p))
			beside := right[i%len(right)]
			p.fields = slices.Concat(beside.fields, p.fields)
			p.query = strings.Trim(p.query+"&"+beside.query, "&")
			requests = append(requests, rt.request(host, p))
		}
	}
	return requests
}

// freePort returns a port of 127.0.0.1 where nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// send sends request on a connection of its own and returns all that comes, of
// a WebSocket only what the child says first.
func send(t *testing.T, s *site, request string) string {
	t.Helper()
	v, err := s.dial(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	io.WriteString(v, request)
	var header strings.Builder
	for line := ""; line != "\r\n"; {
		if line, err = v.r.ReadString('\n'); err != nil {
			return header.String() + line
		}
		header.WriteString(line)
	}
	v.r = bufio.NewReader(io.MultiReader(strings.NewReader(header.String()), v.r))
	a, err := v.answer(request)
	if err != nil {
		t.Errorf("%q: %v", request, err)
	}
	return header.String() + a.body
}

// TestNoSecretIsTold in a log, in an answer or to a child, wherever it stands in
// whatever request.
func TestNoSecretIsTold(t *testing.T) {
	certFile, keyFile := wspipetest.NewCA(t, "ca").Server(t)
	for _, test := range []struct {
		name       string
		flags, env []string
	}{
		{"text", []string{"--log-format=text"}, []string{"WSPIPE_BASIC_AUTH=alice:" + strangePassword}},
		{"json", []string{"--log-format=json", "--basic-auth", "alice:" + strangePassword}, []string{"WSPIPE_BASIC_AUTH=" + strangeUnused}},
		{"TLS", []string{"--ssl", "--sslcert=" + certFile, "--sslkey=" + keyFile, "--basic-auth=alice:" + strangePassword}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, told, redirectPort := t.TempDir(), t.TempDir(), freePort(t)
			writeFiles(t, dir, tells)
			s := startSite(t, test.env, append(test.flags, "--loglevel=debug", "--address=127.0.0.1", "--redirport="+redirectPort,
				"--dir="+dir+"/ws", "--cgidir="+dir+"/cgi", "--staticdir="+dir+"/static", "--devconsole", "--subprotocol=demo",
				"--passenv=PATH,WSPIPE_BASIC_AUTH", "--setenv=DUMP="+told,
				"--htpasswd="+wspipetest.SecretFile(t, "file", wspipetest.HtpasswdLine(t, "bob", strangeFilePassword, bcrypt.MinCost)), "--token-file="+wspipetest.SecretFile(t, "file", strangeToken))...)
			requests := secretRequests(s.host)
			if s.tls != nil { // each costs a handshake
				requests = everyNth(5, requests)
			}
			redirecting := &site{Server: s.Server, host: "127.0.0.1:" + redirectPort}
			statuses := make(map[string]int)
			for _, request := range requests {
				for _, to := range []*site{s, redirecting} {
					all := send(t, to, request)
					statuses[all[:min(12, len(all))]]++
					if found := leaked(all); found != nil {
						t.Errorf("the answer to %q tells %q: %q", request, found, all)
					}
				}
			}
			if s.tls != nil { // who forgets the s of https
				plain := &site{Server: s.Server, host: s.host}
				for _, request := range requests[:100] {
					if all := send(t, plain, request); leaked(all) != nil {
						t.Errorf("the answer to %q is %q", request, all)
					}
				}
			}
			s.Signal(syscall.SIGTERM)
			if status := s.Wait(); status != 0 {
				t.Errorf("status %d", status)
			}
			expectSilence(t, s.Stderr(), told)
			for _, status := range []string{"101", "200", "301", "308", "400", "401", "403", "404", "405", "500"} {
				if statuses["HTTP/1.1 "+status] == 0 {
					t.Errorf("nothing was answered with %s: %v", status, statuses)
				}
			}
		})
	}
}

func everyNth[T any](n int, list []T) (some []T) {
	for i := 0; i < len(list); i += n {
		some = append(some, list[i])
	}
	return some
}

// expectSilence checks a log, and what the children wrote to the directory told.
func expectSilence(t *testing.T, log, told string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if found := leaked(line); found != nil {
			t.Errorf("the log tells %q: %s", found, line)
		}
	}
	if !strings.Contains(log, "wrong credentials") {
		t.Error("the log does not tell what it should")
	}
	files, err := filepath.Glob(told + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d children left a file, %v", len(files), err)
	}
	seen := map[string]bool{"REMOTE_USER=alice\x00": false, "REMOTE_USER=bob\x00": false, "AUTH_TYPE=Bearer\x00": false, "QUERY_STRING=a=1&b=2\x00": false,
		"HTTP_REFERER=http://127.0.0.1/?a=1&b=2\x00": false, "WEBSOCKET_PROTOCOL=demo\x00": false, "body": false}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := leaked(string(text)); found != nil {
			t.Errorf("a child is told %q: %q", found, text)
		}
		if strings.Contains(string(text), "WSPIPE_BASIC_AUTH") {
			t.Errorf("a child has the variable: %q", text)
		}
		for part := range seen {
			seen[part] = seen[part] || strings.Contains(string(text), part)
		}
	}
	for part, ok := range seen {
		if !ok {
			t.Errorf("no child was told %q", part)
		}
	}
}

// TestBrokenSecretsAreNotShown by the messages about what is wrong with them.
func TestBrokenSecretsAreNotShown(t *testing.T) {
	line := wspipetest.HtpasswdLine(t, "hunter1234", "x", bcrypt.MinCost)
	certFile, _ := wspipetest.NewCA(t, "ca").Server(t)
	for _, test := range []struct {
		name, flag, text string
		status           int
		says             string
	}{
		{"two words", "--token-file=", "# x\nkumquat0815 okapi9001\n", 1, "line 2: "},
		{"an empty file", "--token-file=", "# okapi9001\n", 1, "no token"},
		{"no bcrypt", "--htpasswd=", "alice:sesame4711\n", 1, "line 1: "},
		{"another hash", "--htpasswd=", "hunter1234:$apr1$sesame4711$kAZ1yQmGJWo4FbBu5nUqB0\n", 1, "line 1: "},
		{"a user twice", "--htpasswd=", line + line, 1, "line 2: "},
		{"no user", "--htpasswd=", "#" + line, 1, "no user"},
		{"a broken key", "--sslkey=", "-----BEGIN PRIVATE KEY-----\nkumquat0815\n", 1, "key"},
		{"a password for a file", "--basic-auth=", "sesame4711", 2, "--basic-auth=...: "},
		{"a newline", "--basic-auth=", "alice:sesame4711\n", 2, "--basic-auth=...: "},
		{"a password from the environment", "WSPIPE_BASIC_AUTH=", "sesame4711", 2, "WSPIPE_BASIC_AUTH: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, format := range []string{"text", "json"} {
				cmd := exec.Command(wspipetest.PlainBinary(t), "--port=0", "--loglevel=debug", "--log-format="+format)
				switch {
				case test.flag == "--sslkey=":
					cmd.Args = append(cmd.Args, "--ssl", "--sslcert="+certFile, test.flag+wspipetest.SecretFile(t, "file", test.text))
				case test.flag == "--basic-auth=":
					cmd.Args = append(cmd.Args, test.flag+test.text)
				case strings.HasPrefix(test.flag, "--"):
					cmd.Args = append(cmd.Args, test.flag+wspipetest.SecretFile(t, "file", test.text))
				default:
					cmd.Env = append(os.Environ(), test.flag+test.text)
				}
				cmd.Args = append(cmd.Args, "cat")
				out, _ := cmd.CombinedOutput()
				if status := cmd.ProcessState.ExitCode(); status != test.status || !strings.Contains(string(out), test.says) {
					t.Errorf("status %d and %q, want %d and %q", status, out, test.status, test.says)
				}
				if found := leaked(string(out)); found != nil || strings.Contains(string(out), "$") {
					t.Errorf("it tells %q: %s", found, out)
				}
			}
		})
	}
}

// TestReloadedSecretsAreNotShown: of a file that has become wrong, the log tells
// the line's number.
func TestReloadedSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	tokens, passwords := wspipetest.SecretFile(t, "file", strangeToken), wspipetest.SecretFile(t, "file", wspipetest.HtpasswdLine(t, "bob", strangeFilePassword, bcrypt.MinCost))
	s := startSite(t, nil, "--loglevel=debug", "--token-file="+tokens, "--htpasswd="+passwords, "cat")
	for path, text := range map[string]string{tokens: "okapi9001 kumquat0815\n", passwords: "hunter1234:sesame4711\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Signal(syscall.SIGHUP)
	for _, path := range []string{tokens, passwords} {
		s.AwaitStderr(path + ": line 1: ")
	}
	if found := leaked(s.Stderr()); found != nil {
		t.Errorf("the log tells %q: %s", found, s.Stderr())
	}
}

// TestSecretFilesAreNotServed although they are where all files are: one user is
// not to see the others' tokens.
func TestSecretFilesAreNotServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := wspipetest.NewCA(t, "ca").Server(t)
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string]string{"tokens": "kumquat0815\nokapi9001\n", "users": wspipetest.HtpasswdLine(t, "bob", "x", bcrypt.MinCost), "key": string(key), "a.txt": "file"})
	if err := os.Symlink("tokens", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	s := startSite(t, nil, "--staticdir="+dir, "--token-file="+dir+"/tokens", "--htpasswd="+dir+"/users", "--ssl", "--sslcert="+certFile, "--sslkey="+dir+"/key")
	for name, want := range map[string]string{"tokens": "404", "link": "404", "users": "404", "key": "404", "a.txt": "200"} {
		rt := route{line: "GET /" + name + " HTTP/1.1", fields: "Authorization: Bearer kumquat0815\r\n"}
		if got := send(t, s, rt.request(s.host, proof{})); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
}
