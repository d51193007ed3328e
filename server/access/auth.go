package access

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"wspipe/server/watch"
)

// authenticator decides who may come in, before anything else looks at a
// request, and takes out of it what proves that. Whatever comes after it, be it
// the log, a page or a child's environment, cannot tell a secret.
//
// The ways of Auth are alternatives: any right proof lets in, also beside a
// wrong one of another kind. A client certificate (Rules.ClientCertificate) is none
// of them but a condition: without it nobody comes in, and with it, if there is any
// way of Auth, nobody who has not proved himself by one of those as well.
type authenticator struct {
	certificate bool                     // Rules.ClientCertificate
	login       *basicLogin              // Auth.Basic; nil if off, like the next two
	passwords   *watch.Value[*passwords] // Auth.HtpasswdFile
	tokens      *watch.Value[tokenSet]   // Auth.TokenFile
	proxyHeader string                   // Auth.ProxyHeader; empty if off
	flags       []string                 // of the ways of Auth that are on
}

// newAuthenticator reads the files of rules. Its errors never hold what those do.
func newAuthenticator(rules Rules, log *slog.Logger) (a *authenticator, err error) {
	a = &authenticator{certificate: rules.ClientCertificate, proxyHeader: rules.Auth.ProxyHeader}
	if pair := rules.Auth.Basic; pair != "" {
		a.flags = append(a.flags, "--basic-auth")
		if a.login, err = newBasicLogin(pair); err != nil {
			return nil, err
		}
	}
	if path := rules.Auth.HtpasswdFile; path != "" {
		a.flags = append(a.flags, "--htpasswd")
		if a.passwords, err = watchPasswords(log, path); err != nil {
			return nil, err
		}
	}
	if path := rules.Auth.TokenFile; path != "" {
		a.flags = append(a.flags, "--token-file")
		if a.tokens, err = watchTokens(log, path); err != nil {
			return nil, err
		}
	}
	if a.proxyHeader != "" {
		a.flags = append(a.flags, "--auth-header")
	}
	return a, nil
}

// reload reads the files again, whether they seem to have changed or not.
func (a *authenticator) reload() {
	if a.passwords != nil {
		a.passwords.Reload()
	}
	if a.tokens != nil {
		a.tokens.Reload()
	}
}

// check returns nil if r is admitted for its purpose, and then sets the user of c.
// Either way, the credentials are removed from r.
func (a *authenticator) check(r *http.Request, purpose Purpose, client *Client) *Refusal {
	sent := a.removeCredentials(r, client)
	if !purpose.Own || !IsSafe(r.Method) {
		sent.passes = nil
	}
	var leaf *x509.Certificate
	if a.certificate {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return &Refusal{Status: http.StatusForbidden, Why: "no client certificate; this server requires one (--sslca)"}
		}
		leaf = r.TLS.VerifiedChains[0][0]
	}
	var who verified
	if len(a.flags) > 0 {
		var ok bool
		if who, ok = a.verify(r.Context(), sent); !ok {
			return a.refusal(r.Context(), sent)
		}
	}
	client.User, client.AuthType, client.Identity = who.user, who.authType, who.identity
	if sent.tokenInQuery {
		client.pass = who.pass
	}
	if leaf != nil { // the first newline ends the user's name: no proof can have one in it
		client.Subject = leaf.Subject.String()
		client.Identity = strings.TrimPrefix(client.Identity+"\n"+certificateIdentity(leaf), "\n")
	}
	return nil
}

// certificateIdentity tells certificates apart: by their subject, so that one
// that is renewed stays the same, or by all of it where there is no subject.
func certificateIdentity(leaf *x509.Certificate) string {
	if subject := leaf.Subject.String(); subject != "" {
		return "cert " + subject
	}
	sum := sha256.Sum256(leaf.Raw)
	return "cert " + hex.EncodeToString(sum[:])
}

// credentials are what came with a request to prove who sends it.
type credentials struct {
	authorization  []string // values of the header
	isBasic        bool     // the next two were in it
	user, password string
	tokens         []string // from all places; empty for one that is malformed
	tokenInQuery   bool
	passes         []digest // of the cookie, where that counts
	proxyUsers     []string // what a trusted proxy says
}

func (c credentials) any() bool {
	return len(c.authorization) > 0 || len(c.tokens) > 0 || len(c.passes) > 0 || strings.Join(c.proxyUsers, "") != ""
}

// removeCredentials takes everything out of r that the ways of Auth look at.
func (a *authenticator) removeCredentials(r *http.Request, client *Client) credentials {
	var c credentials
	if a.login != nil || a.passwords != nil || a.tokens != nil {
		c.authorization = r.Header.Values("Authorization")
		if len(c.authorization) == 1 { // several are malformed (RFC 9110, section 5.3)
			c.user, c.password, c.isBasic = basicAuth(r)
		}
	}
	if a.tokens != nil {
		c.tokens, c.tokenInQuery = removeTokens(r)
		c.passes = removePasses(r.Header)
	}
	if c.authorization != nil {
		r.Header.Del("Authorization")
	}
	if a.proxyHeader != "" {
		if client.trusted {
			c.proxyUsers = r.Header.Values(a.proxyHeader)
		}
		r.Header.Del(a.proxyHeader)
	}
	return c
}

// verified is what a client has proved, with the fields of Client.
type verified struct{ user, authType, identity, pass string }

// verify finds a right proof in c. The slow one, which costs a bcrypt, comes last.
func (a *authenticator) verify(ctx context.Context, c credentials) (who verified, ok bool) {
	if c.isBasic && a.login != nil && a.login.matches(c.user, c.password) {
		return verified{user: c.user, authType: "Basic", identity: "user " + c.user}, true
	}
	if len(c.proxyUsers) == 1 && c.proxyUsers[0] != "" {
		return verified{user: c.proxyUsers[0], identity: "user " + c.proxyUsers[0]}, true
	}
	if a.tokens != nil {
		good := a.tokens.Get()
		if who, ok := good.verifyTokens(c.tokens); ok {
			return who, true
		}
		if who, ok := good.verifyPasses(c.passes); ok {
			return who, true
		}
	}
	if c.isBasic && a.passwords != nil {
		if p := a.passwords.Get(); p.match(ctx, c.user, c.password) {
			return verified{user: c.user, authType: "Basic", identity: "user " + c.user}, true
		}
	}
	return verified{}, false
}

// refusal says which proofs would do. It tells whether any came, but neither what
// came nor what of it is wrong.
func (a *authenticator) refusal(ctx context.Context, c credentials) *Refusal {
	if c.isBasic && ctx.Err() != nil {
		return &Refusal{Status: http.StatusServiceUnavailable, Why: "the client disconnected before its credentials were checked"}
	}
	why := "no credentials"
	if c.any() {
		why = "wrong credentials"
	}
	f := &Refusal{Status: http.StatusForbidden, Why: why + " (" + strings.Join(a.flags, ", ") + ")"}
	if a.login != nil || a.passwords != nil {
		f.challenges = append(f.challenges, `Basic realm="wspipe", charset="UTF-8"`)
	}
	if a.tokens != nil {
		bearer := `Bearer realm="wspipe"`
		if len(c.tokens) > 0 {
			bearer += `, error="invalid_token"`
		}
		f.challenges = append(f.challenges, bearer)
	}
	if len(f.challenges) > 0 { // else there is nothing that a client could do
		f.Status = http.StatusUnauthorized
	}
	return f
}

// eachLine calls use for each line of the file at path that is neither blank
// nor a comment, without the white space around it, and without a byte order mark
// in front of the first. Its error names the line,
// not what the line holds, and use must not tell that either.
func eachLine(path string, use func(line string) error) error {
	text, err := watch.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := use(line); err != nil {
			return fmt.Errorf("read %s: line %d: %w", path, number, err)
		}
	}
	return nil
}
