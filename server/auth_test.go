//go:build unix

package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// What the tests' users know. The token has every kind of character that may
// need encoding somewhere.
const (
	basicUser, basicPassword = "alice", "open:sesame"
	fileUser, filePassword   = "bob", "hunter 2"
	goodToken, otherToken    = "tok-en.1_~+/==", "second"
)

// secrets are parts of all that, in every encoding, none of which may be left.
var secrets = []string{
	"sesame", "hunter", "tok-en", otherToken, "wrong",
	basicPair(basicUser, basicPassword), basicPair(fileUser, filePassword), base64.RawURLEncoding.EncodeToString([]byte(goodToken)),
}

func basicPair(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// authorization is the header field of basic authentication.
func authorization(user, password string) string {
	return "Authorization: Basic " + basicPair(user, password)
}

func offeredToken(token string) string {
	return tokenSubprotocol + base64.RawURLEncoding.EncodeToString([]byte(token))
}

func tokenIdentity(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "token " + hex.EncodeToString(sum[:])
}

// htpasswdLine makes what htpasswd -B would.
func htpasswdLine(t *testing.T, user, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return user + ":$2y$" + strings.TrimPrefix(string(hash), "$2a$") + "\n"
}

func secretFile(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	rewriteFile(t, path, text)
	return path
}

func rewriteFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// authOf turns on the kinds that are named.
func authOf(t *testing.T, kinds string) (auth Auth) {
	t.Helper()
	for kind := range strings.FieldsSeq(kinds) {
		switch kind {
		case "basic":
			auth.Basic = basicUser + ":" + basicPassword
		case "htpasswd":
			auth.HtpasswdFile = secretFile(t, "users", "# ours\n\n"+htpasswdLine(t, fileUser, filePassword, bcrypt.MinCost))
		case "token":
			auth.TokenFile = secretFile(t, "tokens", "# ours\r\n\r\n  "+goodToken+" \r\n"+otherToken)
		case "header":
			auth.ProxyHeader = "x-remote-user"
		default:
			t.Fatalf("no such kind: %s", kind)
		}
	}
	return auth
}

const (
	basicChallenge  = `Basic realm="wspipe", charset="UTF-8"`
	bearerChallenge = `Bearer realm="wspipe"`
	invalidToken    = bearerChallenge + `, error="invalid_token"`
)

// comingIn are the ways to come in, and with which identity.
var comingIn = []struct {
	name, kinds, target string
	header              []string
	trusted             bool
	user, authType, id  string
}{
	{"nothing is asked for", "", "/?access_token=x", nil, false, "", "", ""},
	{"basic", "basic", "/", []string{authorization(basicUser, basicPassword)}, false, basicUser, "Basic", "user alice"},
	{"basic in another case", "basic", "/", []string{"authorization: bAsIc " + basicPair(basicUser, basicPassword)}, false, basicUser, "Basic", "user alice"},
	{"htpasswd", "htpasswd", "/", []string{authorization(fileUser, filePassword)}, false, fileUser, "Basic", "user bob"},
	{"htpasswd beside basic", "basic htpasswd", "/", []string{authorization(fileUser, filePassword)}, false, fileUser, "Basic", "user bob"},
	{"basic beside htpasswd", "basic htpasswd", "/", []string{authorization(basicUser, basicPassword)}, false, basicUser, "Basic", "user alice"},
	{"bearer", "token", "/", []string{"Authorization: Bearer " + goodToken}, false, "", "Bearer", tokenIdentity(goodToken)},
	{"bearer in another case", "basic token", "/", []string{"Authorization: bEARER  " + otherToken}, false, "", "Bearer", tokenIdentity(otherToken)},
	{"token in the query", "token", "/a?x=1&access_token=tok-en.1_~%2B/==", nil, false, "", "Bearer", tokenIdentity(goodToken)},
	{"token in the query, name encoded, too", "token", "/?%61ccess_token=%74ok-en.1_~%2b%2F%3D%3d", nil, false, "", "Bearer", tokenIdentity(goodToken)},
	{"token as subprotocol", "token", "/", []string{"Sec-WebSocket-Protocol: chat, " + offeredToken(goodToken)}, false, "", "Bearer", tokenIdentity(goodToken)},
	{"token as subprotocol, padded", "token", "/", []string{"Sec-WebSocket-Protocol: " + offeredToken("second") + "="}, false, "", "Bearer", tokenIdentity(otherToken)},
	{"token as subprotocol in another case", "token", "/", []string{"Sec-WebSocket-Protocol: " +
		strings.Replace(offeredToken(otherToken), "base64url.bearer", "Base64URL.Bearer", 1)}, false, "", "Bearer", tokenIdentity(otherToken)},
	{"the token everywhere", "token", "/?access_token=second&access_token=second",
		[]string{"Authorization: Bearer second", "Sec-WebSocket-Protocol: " + offeredToken("second")}, false, "", "Bearer", tokenIdentity(otherToken)},
	{"proxy's header", "header", "/", []string{"X-Remote-User: carol"}, true, "carol", "", "user carol"},
	{"proxy's header beside others", "basic htpasswd token header", "/", []string{"X-REMOTE-USER: carol"}, true, "carol", "", "user carol"},
	{"right token beside wrong basic", "basic htpasswd token", "/?access_token=second",
		[]string{authorization("alice", "wrong")}, false, "", "Bearer", tokenIdentity(otherToken)},
	{"right basic beside wrong token", "basic token", "/?access_token=wrong",
		[]string{authorization(basicUser, basicPassword)}, false, basicUser, "Basic", "user alice"},
	{"right password of the file beside wrong token", "htpasswd token", "/?access_token=wrong",
		[]string{authorization(fileUser, filePassword)}, false, fileUser, "Basic", "user bob"},
	{"basic, with a forged proxy's header", "basic header", "/",
		[]string{"X-Remote-User: root", authorization(basicUser, basicPassword)}, false, basicUser, "Basic", "user alice"},
}

func TestRightCredentialsComeIn(t *testing.T) {
	for _, test := range comingIn {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, Config{Auth: authOf(t, test.kinds)}, test.trusted, nil)
			g.reload() // which nobody notices
			resp, body, p := g.ask(t, test.target, test.header...)
			if resp.StatusCode != 200 {
				t.Fatalf("got %d %q", resp.StatusCode, body)
			}
			if p.visitor.user != test.user || p.visitor.authType != test.authType || p.visitor.identity != test.id || p.visitor.subject != "" {
				t.Errorf("the visitor is %+v", p.visitor)
			}
			expectNoSecret(t, p)
		})
	}
}

// expectNoSecret checks that p does not tell what proved anything.
func expectNoSecret(t *testing.T, p passage) {
	t.Helper()
	for _, secret := range append(secrets, "X-Remote-User", "Authorization", tokenSubprotocol) {
		if strings.Contains(p.all, secret) {
			t.Errorf("behind the gate %q is still there:\n%s", secret, p.all)
		}
	}
}

// stayingOut are the ways not to come in.
var stayingOut = []struct {
	name, kinds, target string
	header              []string
	trusted             bool
	status              int
	why                 string
	challenges          []string
}{
	{"basic, none", "basic", "/", nil, false, 401, "no credentials (--basic-auth)", []string{basicChallenge}},
	{"htpasswd, none", "htpasswd", "/", nil, false, 401, "no credentials (--htpasswd)", []string{basicChallenge}},
	{"token, none", "token", "/?token=x", nil, false, 401, "no credentials (--token-file)", []string{bearerChallenge}},
	{"header, none", "header", "/", nil, true, 403, "no credentials (--auth-header)", nil},
	{"all, none", "basic htpasswd token header", "/", nil, true, 401,
		"no credentials (--basic-auth, --htpasswd, --token-file, --auth-header)", []string{basicChallenge, bearerChallenge}},

	{"wrong password", "basic", "/", []string{authorization(basicUser, "wrong")}, false, 401,
		"wrong credentials (--basic-auth)", []string{basicChallenge}},
	{"half of the password", "basic", "/", []string{authorization(basicUser, "open")}, false, 401, "wrong credentials", nil},
	{"wrong user", "basic", "/", []string{authorization("Alice", basicPassword)}, false, 401, "wrong credentials", nil},
	{"no colon", "basic", "/", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(basicUser))}, false, 401, "wrong credentials", nil},
	{"not base64", "basic", "/", []string{"Authorization: Basic wrong!"}, false, 401, "wrong credentials", nil},
	{"nothing behind the scheme", "basic htpasswd token", "/", []string{"Authorization: Basic"}, false, 401, "wrong credentials", nil},
	{"another scheme", "basic htpasswd", "/", []string{`Authorization: Digest username="wrong"`}, false, 401, "wrong credentials", []string{basicChallenge}},
	{"right basic twice", "basic", "/", []string{authorization(basicUser, basicPassword),
		authorization(basicUser, basicPassword)}, false, 401, "wrong credentials", nil},

	{"wrong password of the file", "htpasswd", "/", []string{authorization(fileUser, "wrong")}, false, 401,
		"wrong credentials (--htpasswd)", []string{basicChallenge}},
	{"unknown user of the file", "htpasswd", "/", []string{authorization("wrong", filePassword)}, false, 401,
		"wrong credentials (--htpasswd)", []string{basicChallenge}},
	{"no user", "htpasswd", "/", []string{authorization("", filePassword)}, false, 401, "wrong credentials", nil},
	{"no password", "htpasswd", "/", []string{authorization(fileUser, "")}, false, 401, "wrong credentials", nil},
	{"the same for bcrypt, with a NUL", "htpasswd", "/", []string{authorization(fileUser, filePassword+"\x00"+filePassword)}, false, 401, "wrong credentials", nil},
	{"the user of the other kind", "htpasswd", "/", []string{authorization(basicUser, basicPassword)}, false, 401, "wrong credentials", nil},

	{"wrong token", "token", "/", []string{"Authorization: Bearer wrong"}, false, 401, "wrong credentials (--token-file)", []string{invalidToken}},
	{"no token behind the scheme", "token", "/", []string{"Authorization: Bearer"}, false, 401, "wrong credentials", []string{invalidToken}},
	{"token in another case", "token", "/", []string{"Authorization: Bearer Second"}, false, 401, "wrong credentials", []string{invalidToken}},
	{"a comment of the file", "token", "/?access_token=%23%20ours", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"token as password", "basic token", "/", []string{authorization("", otherToken)}, false, 401, "wrong credentials",
		[]string{basicChallenge, bearerChallenge}},
	{"wrong token in the query", "token", "/?access_token=wrong", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"empty token in the query", "token", "/?access_token", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"a plus that is a space", "token", "/?access_token=tok-en.1_~+/==", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"wrong encoding in the query", "token", "/?access_token=second%", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"behind a semicolon", "token", "/?a=1;access_token=second", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"only in a referer", "token", "/", []string{"Referer: http://us/?access_token=second"}, false, 401, "no credentials", []string{bearerChallenge}},
	{"wrong token as subprotocol", "token", "/", []string{"Sec-WebSocket-Protocol: " + offeredToken("wrong")}, false, 401, "wrong credentials", []string{invalidToken}},
	{"not base64 as subprotocol", "token", "/", []string{"Sec-WebSocket-Protocol: " + tokenSubprotocol + "tok-en!"}, false, 401,
		"wrong credentials", []string{invalidToken}},
	{"nothing as subprotocol", "token", "/", []string{"Sec-WebSocket-Protocol: " + tokenSubprotocol}, false, 401, "wrong credentials", []string{invalidToken}},
	{"right token, wrong token", "token", "/?access_token=second", []string{"Authorization: Bearer wrong"}, false, 401,
		"wrong credentials", []string{invalidToken}},
	{"wrong token, right token", "token", "/?access_token=wrong", []string{"Authorization: Bearer second"}, false, 401,
		"wrong credentials", []string{invalidToken}},
	{"right bearer twice", "token", "/", []string{"Authorization: Bearer second", "Authorization: Bearer second"}, false, 401, "wrong credentials", nil},

	{"proxy's header from others", "header", "/", []string{"X-Remote-User: wrong"}, false, 403, "no credentials (--auth-header)", nil},
	{"proxy's header from others beside basic", "basic header", "/", []string{"X-Remote-User: wrong"}, false, 401,
		"no credentials (--basic-auth, --auth-header)", []string{basicChallenge}},
	{"empty proxy's header", "header", "/", []string{"X-Remote-User:"}, true, 403, "no credentials (--auth-header)", nil},
	{"proxy's header twice", "header", "/", []string{"X-Remote-User: wrong", "x-remote-user: carol"}, true, 403, "wrong credentials (--auth-header)", nil},
}

func TestWrongCredentialsStayOut(t *testing.T) {
	for _, test := range stayingOut {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, Config{Auth: authOf(t, test.kinds)}, test.trusted, nil)
			resp, body, p := g.ask(t, test.target, test.header...)
			if resp.StatusCode != test.status || !strings.Contains(body, test.why) {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, test.status, test.why)
			}
			challenges := resp.Header["Www-Authenticate"]
			if test.challenges != nil && !slices.Equal(challenges, test.challenges) || (len(challenges) == 0) != (test.status == 403) {
				t.Errorf("the challenges are %q, want %q", challenges, test.challenges)
			}
			if *p.visitor != (visitor{trusted: test.trusted}) {
				t.Errorf("the visitor is %+v", p.visitor)
			}
			for _, secret := range secrets {
				if strings.Contains(strings.TrimPrefix(body, "wspipe: wrong credentials"), secret) {
					t.Errorf("the body has %q: %s", secret, body)
				}
			}
			expectNoSecret(t, p)
		})
	}
}

// TestOnlyCredentialsAreTaken: all else of a request stays byte for byte, and
// what nobody here looks at is the child's.
func TestOnlyCredentialsAreTaken(t *testing.T) {
	ours := []string{"Authorization: Bearer second"}
	protocol := func(lines ...string) []string {
		header := ours
		for _, line := range lines {
			header = append(header, "Sec-WebSocket-Protocol: "+line)
		}
		return header
	}
	for _, test := range []struct {
		name, kinds, target, left string
		header                    []string
		field                     string   // a header field, and its values that are left
		values                    []string // none: it is gone
	}{
		{"no query", "token", "/a%20b", "/a%20b", ours, "Authorization", nil},
		{"an empty query", "token", "/a?", "/a?", ours, "Authorization", nil},
		{"a query of ours alone", "token", "/a?access_token=second", "/a", nil, "Authorization", nil},
		{"in the middle", "token", "/?a=%7e+&&access_token=second&=;&b", "/?a=%7e+&&=;&b", nil, "Authorization", nil},
		{"at the ends", "token", "/?access_token=second&a?b=/&access_token=second", "/?a?b=/", nil, "Authorization", nil},
		{"names like ours", "token", "/?xaccess_token=1&access_tokens=2&Access_Token=3&%zz=4", "/?xaccess_token=1&access_tokens=2&Access_Token=3&%zz=4",
			ours, "Authorization", nil},
		{"an absolute address", "token", "http://us/a?access_token=second&b", "http://us/a?b", nil, "Authorization", nil},
		{"wrong pairs", "basic token", "/?a=1;access_token=second;b=2&access_token=second;c&d=%zz", "/?d=%zz", []string{authorization(basicUser, basicPassword)}, "Authorization", nil},
		{"referers", "token", "/", "/", append(ours, "Referer: http://us/x?access_token=second&y=1#z", "Referer: http://us/?access_token=wrong", "Referer: http://us/?"),
			"Referer", []string{"http://us/x?y=1#z", "http://us/", "http://us/?"}},
		{"what else a proxy tells", "token", "/", "/", append(ours, "X-Args: a=1&access_token=second", "X-Args: next=%2F%3Faccess_token%3Dwrong&b=2",
			"X-Args: GET /?x&access%5Ftoken=wrong HTTP/1.1", "X-Args: Bearer "+goodToken+"!", "X-Args: /100%?b&access_token=wrong&c%zz"),
			"X-Args", []string{"a=1", "&b=2", "GET /?x", "Bearer " + goodToken + "!", "/100%?b&c%zz"}},
		{"the token elsewhere", "token", "/", "/", []string{"Authorization: Bearer " + goodToken, "X-Args: Bearer " + goodToken + "!"}, "X-Args", []string{"Bearer !"}},
		{"a cookie of that name", "token", "/", "/", append(ours, "Cookie: access_token=1; b=/?access_token=wrong&c; d"), "Cookie", []string{"access_token=1; b=/?c; d"}},
		{"what a proxy tells of the address", "token", "/", "/", append(ours, "X-Forwarded-Uri: /x?a=1&access_token=second"), "X-Forwarded-Uri", []string{"/x?a=1"}},
		{"subprotocols on several lines", "token", "/", "/", protocol("a,"+offeredToken("second")+" ,b", offeredToken("second"), "c,d"),
			"Sec-Websocket-Protocol", []string{"a, b", "c, d"}},
		{"only tokens as subprotocols", "token", "/", "/", protocol(offeredToken("second")+","+offeredToken("second"), offeredToken("second")), "Sec-Websocket-Protocol", nil},
		{"other subprotocols", "token", "/", "/", protocol("a,b", "base64url.bearer"), "Sec-Websocket-Protocol", []string{"a,b", "base64url.bearer"}},
		{"tokens are off", "basic", "/?access_token=x", "/?access_token=x", []string{authorization(basicUser, basicPassword),
			"Sec-WebSocket-Protocol: " + tokenSubprotocol + "eA"}, "Sec-Websocket-Protocol", []string{tokenSubprotocol + "eA"}},
		{"the header is not asked for", "basic", "/", "/", []string{authorization(basicUser, basicPassword), "X-Remote-User: x"},
			"X-Remote-User", []string{"x"}},
		{"nothing is asked for", "", "/?access_token=x", "/?access_token=x", []string{"Authorization: Basic x"}, "Authorization", []string{"Basic x"}},
		{"only the proxy is asked", "header", "/?access_token=x", "/?access_token=x", []string{"Authorization: Basic x", "X-Remote-User: carol"},
			"Authorization", []string{"Basic x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, Config{Auth: authOf(t, test.kinds)}, true, nil)
			resp, body, p := g.ask(t, test.target, test.header...)
			if resp.StatusCode != 200 {
				t.Errorf("got %d %q", resp.StatusCode, body)
			}
			if p.uri != test.left || !strings.Contains(p.all, "GET "+test.left+" HTTP") {
				t.Errorf("%s became %s", test.target, p.uri)
			}
			if got, ok := p.header[test.field]; !slices.Equal(got, test.values) || ok != (test.values != nil) {
				t.Errorf("%s became %q, want %q", test.field, got, test.values)
			}
		})
	}
}

// TestByteOrderMark: Windows' editors put one in front of the first line.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	for field, auth := range map[string]Auth{
		"Authorization: Bearer second":              {TokenFile: secretFile(t, "tokens", "\ufeffsecond\r\n")},
		authorization(fileUser, filePassword):       {HtpasswdFile: secretFile(t, "users", "\ufeff"+htpasswdLine(t, fileUser, filePassword, bcrypt.MinCost))},
		authorization(fileUser, filePassword) + " ": {HtpasswdFile: secretFile(t, "users", "\ufeff# ours\r\n"+htpasswdLine(t, fileUser, filePassword, bcrypt.MinCost))},
	} {
		if resp, body, _ := newGate(t, Config{Auth: auth}, true, nil).ask(t, "/", field); resp.StatusCode != 200 {
			t.Errorf("%s: got %d %q", field, resp.StatusCode, body)
		}
	}
}
