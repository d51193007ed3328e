//go:build unix

package access

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"

	"golang.org/x/crypto/bcrypt"
)

// secrets are parts of all credentials, in every encoding. None may be left in a request.
var secrets = []string{
	"sesame", "hunter", "tok-en", wspipetest.OtherToken, "wrong",
	wspipetest.BasicPair(wspipetest.BasicUser, wspipetest.BasicPassword), wspipetest.BasicPair(wspipetest.FileUser, wspipetest.FilePassword), base64.RawURLEncoding.EncodeToString([]byte(wspipetest.GoodToken)),
}

func tokenIdentity(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "token " + hex.EncodeToString(sum[:])
}

const (
	basicChallenge  = `Basic realm="wspipe", charset="UTF-8"`
	bearerChallenge = `Bearer realm="wspipe"`
	invalidToken    = bearerChallenge + `, error="invalid_token"`
)

// comingIn lists sufficient credentials and the identities that they give.
var comingIn = []struct {
	name, kinds, target string
	header              []string
	trusted             bool
	user, authType, id  string
}{
	{"nothing is asked for", "", "/?access_token=x", nil, false, "", "", ""},
	{"basic", "basic", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, wspipetest.BasicUser, "Basic", "user alice"},
	{"basic in another case", "basic", "/", []string{"authorization: bAsIc " + wspipetest.BasicPair(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, wspipetest.BasicUser, "Basic", "user alice"},
	{"htpasswd", "htpasswd", "/", []string{wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword)}, false, wspipetest.FileUser, "Basic", "user bob"},
	{"htpasswd beside basic", "basic htpasswd", "/", []string{wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword)}, false, wspipetest.FileUser, "Basic", "user bob"},
	{"basic beside htpasswd", "basic htpasswd", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, wspipetest.BasicUser, "Basic", "user alice"},
	{"bearer", "token", "/", []string{"Authorization: Bearer " + wspipetest.GoodToken}, false, "", "Bearer", tokenIdentity(wspipetest.GoodToken)},
	{"bearer in another case", "basic token", "/", []string{"Authorization: bEARER  " + wspipetest.OtherToken}, false, "", "Bearer", tokenIdentity(wspipetest.OtherToken)},
	{"token in the query", "token", "/a?x=1&access_token=tok-en.1_~%2B/==", nil, false, "", "Bearer", tokenIdentity(wspipetest.GoodToken)},
	{"token in the query, name encoded, too", "token", "/?%61ccess_token=%74ok-en.1_~%2b%2F%3D%3d", nil, false, "", "Bearer", tokenIdentity(wspipetest.GoodToken)},
	{"token as subprotocol", "token", "/", []string{"Sec-WebSocket-Protocol: chat, " + wspipetest.OfferedToken(wspipetest.GoodToken)}, false, "", "Bearer", tokenIdentity(wspipetest.GoodToken)},
	{"token as subprotocol, padded", "token", "/", []string{"Sec-WebSocket-Protocol: " + wspipetest.OfferedToken("second") + "="}, false, "", "Bearer", tokenIdentity(wspipetest.OtherToken)},
	{"token as subprotocol in another case", "token", "/", []string{"Sec-WebSocket-Protocol: " +
		strings.Replace(wspipetest.OfferedToken(wspipetest.OtherToken), "base64url.bearer", "Base64URL.Bearer", 1)}, false, "", "Bearer", tokenIdentity(wspipetest.OtherToken)},
	{"the token everywhere", "token", "/?access_token=second&access_token=second",
		[]string{"Authorization: Bearer second", "Sec-WebSocket-Protocol: " + wspipetest.OfferedToken("second")}, false, "", "Bearer", tokenIdentity(wspipetest.OtherToken)},
	{"proxy's header", "header", "/", []string{"X-Remote-User: carol"}, true, "carol", "", "user carol"},
	{"proxy's header beside others", "basic htpasswd token header", "/", []string{"X-REMOTE-USER: carol"}, true, "carol", "", "user carol"},
	{"right token beside wrong basic", "basic htpasswd token", "/?access_token=second",
		[]string{wspipetest.Authorization("alice", "wrong")}, false, "", "Bearer", tokenIdentity(wspipetest.OtherToken)},
	{"right basic beside wrong token", "basic token", "/?access_token=wrong",
		[]string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, wspipetest.BasicUser, "Basic", "user alice"},
	{"right password of the file beside wrong token", "htpasswd token", "/?access_token=wrong",
		[]string{wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword)}, false, wspipetest.FileUser, "Basic", "user bob"},
	{"basic, with a forged proxy's header", "basic header", "/",
		[]string{"X-Remote-User: root", wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, wspipetest.BasicUser, "Basic", "user alice"},
}

func TestSufficientCredentials(t *testing.T) {
	for _, test := range comingIn {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, Rules{Auth: authBy(t, test.kinds)}, test.trusted, nil)
			g.reload() // must have no effect
			resp, body, p := g.ask(t, test.target, test.header...)
			if resp.StatusCode != 200 {
				t.Fatalf("got %d %q", resp.StatusCode, body)
			}
			if p.client.User != test.user || p.client.AuthType != test.authType || p.client.Identity != test.id || p.client.Subject != "" {
				t.Errorf("the client is %+v", p.client)
			}
			expectNoSecret(t, p)
		})
	}
}

// expectNoSecret checks that p has no credentials.
func expectNoSecret(t *testing.T, p passage) {
	t.Helper()
	for _, secret := range append(secrets, "X-Remote-User", "Authorization", tokenSubprotocol) {
		if strings.Contains(p.all, secret) {
			t.Errorf("behind the gate %q is still there:\n%s", secret, p.all)
		}
	}
}

// stayingOut lists insufficient credentials.
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

	{"wrong password", "basic", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, "wrong")}, false, 401,
		"wrong credentials (--basic-auth)", []string{basicChallenge}},
	{"half of the password", "basic", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, "open")}, false, 401, "wrong credentials", nil},
	{"wrong user", "basic", "/", []string{wspipetest.Authorization("Alice", wspipetest.BasicPassword)}, false, 401, "wrong credentials", nil},
	{"no colon", "basic", "/", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(wspipetest.BasicUser))}, false, 401, "wrong credentials", nil},
	{"not base64", "basic", "/", []string{"Authorization: Basic wrong!"}, false, 401, "wrong credentials", nil},
	{"nothing behind the scheme", "basic htpasswd token", "/", []string{"Authorization: Basic"}, false, 401, "wrong credentials", nil},
	{"another scheme", "basic htpasswd", "/", []string{`Authorization: Digest username="wrong"`}, false, 401, "wrong credentials", []string{basicChallenge}},
	{"right basic twice", "basic", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword),
		wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, 401, "wrong credentials", nil},

	{"wrong password of the file", "htpasswd", "/", []string{wspipetest.Authorization(wspipetest.FileUser, "wrong")}, false, 401,
		"wrong credentials (--htpasswd)", []string{basicChallenge}},
	{"unknown user of the file", "htpasswd", "/", []string{wspipetest.Authorization("wrong", wspipetest.FilePassword)}, false, 401,
		"wrong credentials (--htpasswd)", []string{basicChallenge}},
	{"no user", "htpasswd", "/", []string{wspipetest.Authorization("", wspipetest.FilePassword)}, false, 401, "wrong credentials", nil},
	{"no password", "htpasswd", "/", []string{wspipetest.Authorization(wspipetest.FileUser, "")}, false, 401, "wrong credentials", nil},
	{"the same for bcrypt, with a NUL", "htpasswd", "/", []string{wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword+"\x00"+wspipetest.FilePassword)}, false, 401, "wrong credentials", nil},
	{"the user of the other kind", "htpasswd", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, false, 401, "wrong credentials", nil},

	{"wrong token", "token", "/", []string{"Authorization: Bearer wrong"}, false, 401, "wrong credentials (--token-file)", []string{invalidToken}},
	{"no token behind the scheme", "token", "/", []string{"Authorization: Bearer"}, false, 401, "wrong credentials", []string{invalidToken}},
	{"token in another case", "token", "/", []string{"Authorization: Bearer Second"}, false, 401, "wrong credentials", []string{invalidToken}},
	{"a comment of the file", "token", "/?access_token=%23%20ours", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"token as password", "basic token", "/", []string{wspipetest.Authorization("", wspipetest.OtherToken)}, false, 401, "wrong credentials",
		[]string{basicChallenge, bearerChallenge}},
	{"wrong token in the query", "token", "/?access_token=wrong", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"empty token in the query", "token", "/?access_token", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"a plus that is a space", "token", "/?access_token=tok-en.1_~+/==", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"wrong encoding in the query", "token", "/?access_token=second%", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"behind a semicolon", "token", "/?a=1;access_token=second", nil, false, 401, "wrong credentials", []string{invalidToken}},
	{"only in a referer", "token", "/", []string{"Referer: http://us/?access_token=second"}, false, 401, "no credentials", []string{bearerChallenge}},
	{"wrong token as subprotocol", "token", "/", []string{"Sec-WebSocket-Protocol: " + wspipetest.OfferedToken("wrong")}, false, 401, "wrong credentials", []string{invalidToken}},
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

func TestInsufficientCredentials(t *testing.T) {
	for _, test := range stayingOut {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, Rules{Auth: authBy(t, test.kinds)}, test.trusted, nil)
			resp, body, p := g.ask(t, test.target, test.header...)
			if resp.StatusCode != test.status || !strings.Contains(body, test.why) {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, test.status, test.why)
			}
			challenges := resp.Header["Www-Authenticate"]
			if test.challenges != nil && !slices.Equal(challenges, test.challenges) || (len(challenges) == 0) != (test.status == 403) {
				t.Errorf("the challenges are %q, want %q", challenges, test.challenges)
			}
			if *p.client != (Client{trusted: test.trusted}) {
				t.Errorf("the client is %+v", p.client)
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

// TestOnlyCredentialsAreTaken: the rest of a request stays unchanged, and credentials of disabled
// kinds stay for the child.
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
		field                     string   // a header field and its remaining values
		values                    []string // none: the field is removed
	}{
		{"no query", "token", "/a%20b", "/a%20b", ours, "Authorization", nil},
		{"an empty query", "token", "/a?", "/a?", ours, "Authorization", nil},
		{"a query of ours alone", "token", "/a?access_token=second", "/a", nil, "Authorization", nil},
		{"in the middle", "token", "/?a=%7e+&&access_token=second&=;&b", "/?a=%7e+&&=;&b", nil, "Authorization", nil},
		{"at the ends", "token", "/?access_token=second&a?b=/&access_token=second", "/?a?b=/", nil, "Authorization", nil},
		{"names like ours", "token", "/?xaccess_token=1&access_tokens=2&Access_Token=3&%zz=4", "/?xaccess_token=1&access_tokens=2&Access_Token=3&%zz=4",
			ours, "Authorization", nil},
		{"an absolute address", "token", "http://us/a?access_token=second&b", "http://us/a?b", nil, "Authorization", nil},
		{"wrong pairs", "basic token", "/?a=1;access_token=second;b=2&access_token=second;c&d=%zz", "/?d=%zz", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword)}, "Authorization", nil},
		{"referers", "token", "/", "/", append(ours, "Referer: http://us/x?access_token=second&y=1#z", "Referer: http://us/?access_token=wrong", "Referer: http://us/?"),
			"Referer", []string{"http://us/x?y=1#z", "http://us/", "http://us/?"}},
		{"what else a proxy tells", "token", "/", "/", append(ours, "X-Args: a=1&access_token=second", "X-Args: next=%2F%3Faccess_token%3Dwrong&b=2",
			"X-Args: GET /?x&access%5Ftoken=wrong HTTP/1.1", "X-Args: Bearer "+wspipetest.GoodToken+"!", "X-Args: /100%?b&access_token=wrong&c%zz"),
			"X-Args", []string{"a=1", "&b=2", "GET /?x", "Bearer " + wspipetest.GoodToken + "!", "/100%?b&c%zz"}},
		{"the token elsewhere", "token", "/", "/", []string{"Authorization: Bearer " + wspipetest.GoodToken, "X-Args: Bearer " + wspipetest.GoodToken + "!"}, "X-Args", []string{"Bearer !"}},
		{"a cookie of that name", "token", "/", "/", append(ours, "Cookie: access_token=1; b=/?access_token=wrong&c; d"), "Cookie", []string{"access_token=1; b=/?c; d"}},
		{"what a proxy tells of the address", "token", "/", "/", append(ours, "X-Forwarded-Uri: /x?a=1&access_token=second"), "X-Forwarded-Uri", []string{"/x?a=1"}},
		{"subprotocols on several lines", "token", "/", "/", protocol("a,"+wspipetest.OfferedToken("second")+" ,b", wspipetest.OfferedToken("second"), "c,d"),
			"Sec-Websocket-Protocol", []string{"a, b", "c, d"}},
		{"only tokens as subprotocols", "token", "/", "/", protocol(wspipetest.OfferedToken("second")+","+wspipetest.OfferedToken("second"), wspipetest.OfferedToken("second")), "Sec-Websocket-Protocol", nil},
		{"other subprotocols", "token", "/", "/", protocol("a,b", "base64url.bearer"), "Sec-Websocket-Protocol", []string{"a,b", "base64url.bearer"}},
		{"tokens are off", "basic", "/?access_token=x", "/?access_token=x", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword),
			"Sec-WebSocket-Protocol: " + tokenSubprotocol + "eA"}, "Sec-Websocket-Protocol", []string{tokenSubprotocol + "eA"}},
		{"the header is not asked for", "basic", "/", "/", []string{wspipetest.Authorization(wspipetest.BasicUser, wspipetest.BasicPassword), "X-Remote-User: x"},
			"X-Remote-User", []string{"x"}},
		{"nothing is asked for", "", "/?access_token=x", "/?access_token=x", []string{"Authorization: Basic x"}, "Authorization", []string{"Basic x"}},
		{"only the proxy is asked", "header", "/?access_token=x", "/?access_token=x", []string{"Authorization: Basic x", "X-Remote-User: carol"},
			"Authorization", []string{"Basic x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, Rules{Auth: authBy(t, test.kinds)}, true, nil)
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

// TestByteOrderMark: Windows editors put one at the beginning of a file.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	for field, auth := range map[string]Auth{
		"Authorization: Bearer second":                                               {TokenFile: wspipetest.SecretFile(t, "tokens", "\ufeffsecond\r\n")},
		wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword):       {HtpasswdFile: wspipetest.SecretFile(t, "users", "\ufeff"+wspipetest.HtpasswdLine(t, wspipetest.FileUser, wspipetest.FilePassword, bcrypt.MinCost))},
		wspipetest.Authorization(wspipetest.FileUser, wspipetest.FilePassword) + " ": {HtpasswdFile: wspipetest.SecretFile(t, "users", "\ufeff# ours\r\n"+wspipetest.HtpasswdLine(t, wspipetest.FileUser, wspipetest.FilePassword, bcrypt.MinCost))},
	} {
		if resp, body, _ := newGate(t, Rules{Auth: auth}, true, nil).ask(t, "/", field); resp.StatusCode != 200 {
			t.Errorf("%s: got %d %q", field, resp.StatusCode, body)
		}
	}
}
