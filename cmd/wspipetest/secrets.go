package wspipetest

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// What the users of Secrets know. The token has every kind of character that may
// need encoding somewhere.
const (
	BasicUser, BasicPassword = "alice", "open:sesame"
	FileUser, FilePassword   = "bob", "hunter 2"
	GoodToken, OtherToken    = "tok-en.1_~+/==", "second"
)

// Secrets are ways to authenticate, with the fields of access.Auth.
type Secrets struct{ Basic, HtpasswdFile, TokenFile, ProxyHeader string }

// NewSecrets turns on the kinds that are named.
func NewSecrets(t testing.TB, kinds string) (s Secrets) {
	t.Helper()
	for kind := range strings.FieldsSeq(kinds) {
		switch kind {
		case "basic":
			s.Basic = BasicUser + ":" + BasicPassword
		case "htpasswd":
			s.HtpasswdFile = SecretFile(t, "users", "# ours\n\n"+HtpasswdLine(t, FileUser, FilePassword, bcrypt.MinCost))
		case "token":
			s.TokenFile = SecretFile(t, "tokens", "# ours\r\n\r\n  "+GoodToken+" \r\n"+OtherToken)
		case "header":
			s.ProxyHeader = "x-remote-user"
		default:
			t.Fatalf("no such kind: %s", kind)
		}
	}
	return s
}

// BasicPair encodes a user and a password for basic authentication.
func BasicPair(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// Authorization is the header field of basic authentication.
func Authorization(user, password string) string {
	return "Authorization: Basic " + BasicPair(user, password)
}

// HtpasswdLine makes what htpasswd -B would.
func HtpasswdLine(t testing.TB, user, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return user + ":$2y$" + strings.TrimPrefix(string(hash), "$2a$") + "\n"
}

// SecretFile writes a file that only we can read.
func SecretFile(t testing.TB, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	Rewrite(t, path, text)
	return path
}

// Rewrite replaces the content of a file that SecretFile has written.
func Rewrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TokenSubprotocol begins the subprotocol that carries a token.
const TokenSubprotocol = "base64url.bearer.authorization.k8s.io."

// OfferedToken is the subprotocol that carries token.
func OfferedToken(token string) string {
	return TokenSubprotocol + base64.RawURLEncoding.EncodeToString([]byte(token))
}

// WithToken is the address of path with token in its query.
func WithToken(path, token string) string { return path + "?access_token=" + url.QueryEscape(token) }
