//go:build unix

package access

import (
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// TestBadSecretFiles: the error of a file does not reveal its content.
func TestBadSecretFiles(t *testing.T) {
	good := wspipetest.HtpasswdLine(t, "user-name", wspipetest.FilePassword, 4)
	hash := strings.TrimSpace(strings.TrimPrefix(good, "user-name:"))
	for _, test := range []struct{ name, kind, text, want string }{
		{"no token", "token", "\n# user-name\n", "it contains no tokens"},
		{"a token with a space", "token", "ok\n\nuser-name x\n", "line 3: want one token"},
		{"a token with a comment", "token", "ok\nuser-name # x", "line 2: want one token"},
		{"padding alone", "token", "==\n", "line 1: want one token"},
		{"padding inside", "token", "user=name\n", "line 1: want one token"},
		{"a letter that is not ASCII", "token", "user-näme\n", "line 1: want one token"},
		{"a byte order mark that is not in front", "token", "ok\n\ufeffuser-name\n", "line 2: want one token"},
		{"no user", "htpasswd", "# user-name\n", "it contains no users"},
		{"a plain password", "htpasswd", good + "\n# x\nother:user-name\n", "line 4: want USER:HASH with a bcrypt hash, as written by htpasswd -B"},
		{"a hash of MD5", "htpasswd", "user-name:$apr1$/Ha9v1Jh$kAZ1yQmGJWo4FbBu5nUqB0\n", "line 1: want USER:HASH"},
		{"a hash of SHA", "htpasswd", "user-name:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", "line 1: want USER:HASH"},
		{"no colon", "htpasswd", "user-name\n", "line 1: want USER:HASH"},
		{"an empty user", "htpasswd", ":" + hash + "\n", "line 1: want USER:HASH"},
		{"a hash that is cut", "htpasswd", "user-name:" + hash[:59] + "\n", "line 1: want USER:HASH"},
		{"more behind the hash", "htpasswd", "user-name:" + hash + ":user-name\n", "line 1: want USER:HASH"},
		{"a salt that cannot be decoded", "htpasswd", "user-name:" + hash[:7] + "!" + hash[8:] + "\n", "line 1: want USER:HASH"},
		{"a cost that cannot be", "htpasswd", "user-name:" + strings.Replace(hash, "$04$", "$32$", 1) + "\n", "line 1: want USER:HASH"},
		{"a user twice", "htpasswd", good + "x:" + hash + "\n" + good, "line 3: duplicate user"},
		{"basic without a colon", "basic", "user-name", "read --basic-auth: want USER:PASS"},
		{"basic without a password", "basic", "user-name:", "read --basic-auth: want USER:PASS"},
		{"basic without a user", "basic", ":user-name", "read --basic-auth: want USER:PASS"},
		{"basic with a newline", "basic", "user-name:user-name\n", "read --basic-auth: want USER:PASS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := wspipetest.SecretFile(t, "secrets", test.text)
			auth := map[string]Auth{"token": {TokenFile: path}, "htpasswd": {HtpasswdFile: path}, "basic": {Basic: test.text}}[test.kind]
			a, err := newAuthenticator(Rules{Auth: auth}, slog.New(slog.DiscardHandler))
			if err == nil || a != nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), test.want) || test.kind != "basic" && !strings.HasPrefix(err.Error(), "read "+path+": ") {
				t.Errorf("the error is %q, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "user-n") || strings.Contains(err.Error(), "$") {
				t.Errorf("the error tells what is in the file: %q", err)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, auth := range []Auth{{TokenFile: missing}, {HtpasswdFile: missing}} {
		if _, err := newAuthenticator(Rules{Auth: auth}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("a file that is not there: %v", err)
		}
	}
}

// until sends requests with header until done returns true. The files are checked once a second.
func (g *gate) until(t *testing.T, header string, done func(status int) bool) {
	t.Helper()
	for end := time.Now().Add(wspipetest.Patience); !done(g.status(t, "/", header)); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the files are not read again; the log is %s", g.log.String())
		}
	}
}

// TestFilesAreReadAgain: when they change, and on request.
func TestFilesAreReadAgain(t *testing.T) {
	bearer := func(token string) string { return "Authorization: Bearer " + token }
	password := func(password string) string { return wspipetest.Authorization(wspipetest.FileUser, password) }
	line := func(password string) string { return wspipetest.HtpasswdLine(t, wspipetest.FileUser, password, 4) }
	for _, test := range []struct {
		kind             string
		path             func(Auth) string
		before, after    string // requests
		newText, badText string
	}{
		{"token", func(a Auth) string { return a.TokenFile }, bearer(wspipetest.OtherToken), bearer("third"), "third\n", "two words\n"},
		{"htpasswd", func(a Auth) string { return a.HtpasswdFile }, password(wspipetest.FilePassword), password("new"), line("new"), line("x") + "two words\n"},
	} {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			auth := authBy(t, test.kind)
			path := test.path(auth)
			g := newGate(t, Rules{Auth: auth}, false, nil)
			expect := func(header string, want int) {
				t.Helper()
				if got := g.status(t, "/", header); got != want {
					t.Errorf("got %d, want %d", got, want)
				}
			}
			expect(test.before, 200)
			expect(test.after, 401)
			wspipetest.Rewrite(t, path, test.newText)
			g.until(t, test.after, func(status int) bool { return status == 200 })
			expect(test.before, 401)

			wspipetest.Rewrite(t, path, test.badText)
			g.until(t, test.after, func(status int) bool { return status != 200 || strings.Contains(g.log.String(), "cannot reload") })
			expect(test.after, 200)
			if log := g.log.String(); !strings.Contains(log, path+": line ") || strings.Contains(log, "two words") || strings.Contains(log, "$2") {
				t.Errorf("the log is %s", log)
			}

			wspipetest.Rewrite(t, path, test.newText)
			g.reload() // takes effect at once
			expect(test.after, 200)
			wspipetest.Rewrite(t, path, "# nobody\n")
			g.reload()
			expect(test.after, 401)
			expect(test.before, 401)
		})
	}
}

// FuzzWithoutParameter: the parameter is removed from the query, and all others stay unchanged.
func FuzzWithoutParameter(f *testing.F) {
	for _, query := range []string{"", "a=1&access_token=2&b", "%61ccess_token=x&&a;access_token=y", "access_token=%zz&c=%zz&access_token=1", "a=1&access_token&=", "a+b=%26;&x"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		rest, values := WithoutParameter(query, tokenParameter)
		parsed, _ := url.ParseQuery(query)
		left, _ := url.ParseQuery(rest)
		if left.Has(tokenParameter) {
			t.Errorf("%q still has it: %q", query, rest)
		}
		found := len(values) > 0
		empty := func(value string) bool { return value == "" } // or with invalid encoding
		if got, want := slices.DeleteFunc(values, empty), slices.DeleteFunc(parsed[tokenParameter], empty); !slices.Equal(got, want) {
			t.Errorf("%q gave %q, want %q", query, got, want)
		}
		if !found && rest != query {
			t.Errorf("%q became %q", query, rest)
		}
		if got, want := validPairs(rest), validPairs(query); !slices.Equal(got, want) {
			t.Errorf("%q became %q", query, rest)
		}
	})
}

// validPairs returns the pairs of query that net/url accepts, unchanged and in order, without those
// that set a token.
func validPairs(query string) (pairs []string) {
	for pair := range strings.SplitSeq(query, "&") {
		if values, err := url.ParseQuery(pair); err == nil && len(values) > 0 && !values.Has(tokenParameter) {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}
