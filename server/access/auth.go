package access

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"wspipe/server/watch"
)

// authenticator checks the credentials of a request and removes them from it, before anything
// else uses the request. So neither the log nor a page nor the environment of a child can
// reveal them.
//
// The ways of Auth are alternatives: one correct credential is sufficient, even with a wrong
// one of another kind. A client certificate (Rules.ClientCertificate) is an additional
// requirement.
type authenticator struct {
	certificate bool                     // Rules.ClientCertificate
	login       *basicLogin              // Auth.Basic; nil if off, like the next two
	passwords   *watch.Value[*passwords] // Auth.HtpasswdFile
	tokens      *watch.Value[tokenSet]   // Auth.TokenFile
	proxyHeader string                   // Auth.ProxyHeader; empty if off
	flags       []string                 // of the enabled ways of Auth
}

// newAuthenticator reads the files of rules. Its errors do not reveal their contents.
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

// reload reads the files again, even if they seem unchanged.
func (a *authenticator) reload() {
	if a.passwords != nil {
		a.passwords.Reload()
	}
	if a.tokens != nil {
		a.tokens.Reload()
	}
}

// check returns nil if r is admitted for its purpose, and then sets the user of client. It
// always removes the credentials from r.
func (a *authenticator) check(r *http.Request, purpose Purpose, client *Client) *Refusal {
	sent := a.removeCredentials(r, client)
	if !purpose.Own || !IsSafe(r.Method) {
		sent.passes = nil
	}
	var leaf *x509.Certificate
	if a.certificate {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return &Refusal{Status: http.StatusForbidden, Rule: "auth", Why: "no client certificate; this server requires one (--sslca)"}
		}
		leaf = r.TLS.VerifiedChains[0][0]
	}
	var v verified
	if len(a.flags) > 0 {
		var why *Refusal
		if v, why = a.verify(r.Context(), client.Addr, sent); why != nil {
			return why
		}
	}
	client.User, client.AuthType, client.Identity = v.user, v.authType, v.identity
	if sent.tokenInQuery {
		client.pass = v.pass
	}
	if leaf != nil { // unambiguous, because an identity has no newline
		client.Subject = leaf.Subject.String()
		client.Identity = strings.TrimPrefix(client.Identity+"\n"+certificateIdentity(leaf), "\n")
	}
	return nil
}

// certificateIdentity returns the identity of a certificate: its subject, so that a renewed
// certificate has the same identity, or the sum of the certificate if it has no subject.
func certificateIdentity(leaf *x509.Certificate) string {
	if subject := leaf.Subject.String(); subject != "" {
		return "cert " + subject
	}
	sum := sha256.Sum256(leaf.Raw)
	return "cert " + hex.EncodeToString(sum[:])
}

// credentials are the credentials of a request.
type credentials struct {
	authorization  []string // values of the header
	isBasic        bool     // the header has user and password
	user, password string
	tokens         []string // from all places; a malformed token is empty
	tokenInQuery   bool
	passes         []digest // from the cookie, if the purpose allows a pass
	proxyUsers     []string // from a trusted proxy
}

// any reports whether the request has credentials of any kind.
func (c credentials) any() bool {
	return len(c.authorization) > 0 || len(c.tokens) > 0 || len(c.passes) > 0 || strings.Join(c.proxyUsers, "") != ""
}

// removeCredentials removes from r the credentials for the enabled ways of Auth, and returns
// them.
func (a *authenticator) removeCredentials(r *http.Request, client *Client) credentials {
	var c credentials
	if a.login != nil || a.passwords != nil || a.tokens != nil {
		c.authorization = r.Header.Values("Authorization")
		if len(c.authorization) == 1 { // more than one is malformed (RFC 9110, section 5.3)
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

// verified is the result of correct credentials; see the fields of Client.
type verified struct{ user, authType, identity, pass string }

// verify returns the first correct credentials in c, which a client at addr has sent.
// Passwords that need bcrypt are last, because that is slow.
func (a *authenticator) verify(ctx context.Context, addr netip.Addr, c credentials) (v verified, why *Refusal) {
	if c.isBasic && a.login != nil && a.login.matches(c.user, c.password) {
		return verified{user: c.user, authType: "Basic", identity: "user " + c.user}, nil
	}
	if len(c.proxyUsers) == 1 && c.proxyUsers[0] != "" {
		return verified{user: c.proxyUsers[0], identity: "user " + c.proxyUsers[0]}, nil
	}
	if a.tokens != nil {
		good := a.tokens.Get()
		if v, ok := good.verifyTokens(c.tokens); ok {
			return v, nil
		}
		if v, ok := good.verifyPasses(c.passes); ok {
			return v, nil
		}
	}
	if c.isBasic && a.passwords != nil {
		ok, err := a.passwords.Get().match(ctx, addr, c.user, c.password)
		switch {
		case ok:
			return verified{user: c.user, authType: "Basic", identity: "user " + c.user}, nil
		case errors.Is(err, errQueueFull):
			return verified{}, tooManyPasswords
		case err != nil:
			return verified{}, notVerified
		}
	}
	return verified{}, a.refusal(c)
}

var (
	tooManyPasswords = &Refusal{Status: http.StatusTooManyRequests, Rule: "auth", Why: "too many passwords from your address are waiting to be checked"}
	notVerified      = &Refusal{Status: http.StatusServiceUnavailable, Rule: "auth", Why: "the client disconnected before its credentials were checked"}
)

// refusal returns the refusal for c. It names the accepted kinds of credentials and whether
// there were any, but not what is wrong with them.
func (a *authenticator) refusal(c credentials) *Refusal {
	why := "no credentials"
	if c.any() {
		why = "wrong credentials"
	}
	f := &Refusal{Status: http.StatusForbidden, Rule: "auth", Why: why + " (" + strings.Join(a.flags, ", ") + ")"}
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
	if len(f.challenges) > 0 { // otherwise the client cannot authenticate by itself
		f.Status = http.StatusUnauthorized
	}
	return f
}

// eachLine calls use for each line of the file at path that is neither blank nor a comment,
// without surrounding white space and without a byte order mark. Its error has the number of
// the line but not the line, and the error of use must not have it either.
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
