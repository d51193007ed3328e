// Package access decides which requests a server admits. It determines the client of a
// request, checks host and origin, and authenticates the client. It removes credentials from
// requests.
package access

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
)

// Rules specifies which requests are admitted. The zero value admits every client, except web
// pages of other sites.
type Rules struct {
	// Auth lists the ways to authenticate.
	Auth Auth
	// ClientCertificate requires a verified TLS certificate of each client, besides
	// Auth. The server sets it with TLS.ClientCA.
	ClientCertificate bool
	// TrustedProxies are the proxies whose headers name the client.
	TrustedProxies TrustedProxies
	// Origins lists the origins of other web pages that may connect, each as
	// [scheme://]host[:port], "null" or "*".
	Origins []string
	// Hosts are the names under which web pages may reach the server, besides IP literals,
	// loopback names and the name of this machine.
	Hosts []string
}

// Auth lists the ways to authenticate; each of them is sufficient. The zero value
// admits everyone.
type Auth struct {
	// Basic is a USER:PASS for basic authentication (RFC 7617).
	Basic string
	// HtpasswdFile is a file with USER:HASH in each line, with bcrypt hashes. It is read
	// again when it changes.
	HtpasswdFile string
	// TokenFile is a file with a bearer token (RFC 6750) in each line. It is read again
	// when it changes.
	TokenFile string
	// ProxyHeader is the request header in which a trusted proxy sends the name of the
	// user. It is ignored in other requests.
	ProxyHeader string
}

// TrustedProxies are the addresses whose X-Forwarded-For, X-Forwarded-Proto and
// Auth.ProxyHeader are trusted. The zero value trusts none.
type TrustedProxies struct {
	// Networks are the addresses of the proxies.
	Networks []netip.Prefix
	// Unix trusts every client of a unix socket.
	Unix bool
}

// Policy decides which requests are admitted. Its methods may be called concurrently.
type Policy struct {
	proxies TrustedProxies
	origins *originRule
	auth    *authenticator
}

// NewPolicy returns the policy for rules. It reads the files of rules and logs when they are
// read again. Its errors contain no secrets.
func NewPolicy(rules Rules, log *slog.Logger) (p *Policy, err error) {
	p = &Policy{proxies: rules.TrustedProxies}
	if p.origins, err = newOriginRule(rules.Origins, rules.Hosts); err != nil {
		return nil, err
	}
	p.auth, err = newAuthenticator(rules, log)
	return p, err
}

// Reload reads the files again, even if they seem unchanged. An error is logged, and the
// previous contents stay in effect.
func (p *Policy) Reload() { p.auth.reload() }

// Authenticates reports whether every client must authenticate.
func (p *Policy) Authenticates() bool { return p.auth.certificate || len(p.auth.flags) > 0 }

// Purpose is the purpose of a request, as far as the rules depend on it.
type Purpose struct {
	WebSocket bool // it is an opening handshake
	Program   bool // it starts a program or attaches to one
	Own       bool // it reads a file of the server itself, for which a pass is sufficient
}

// Check returns nil if the host, origin and authentication rules admit r, in this order. Then
// it sets the user of c, which ClientOf has returned. It removes the credentials from r,
// unless it refuses the host or the origin.
func (p *Policy) Check(r *http.Request, c *Client, purpose Purpose) *Refusal {
	if why, flag := p.origins.refuse(r, purpose, hostOf(r, c.scheme())); why != "" {
		rule := "origin"
		if strings.HasPrefix(flag, "--host=") {
			rule = "host"
		}
		return &Refusal{Status: http.StatusForbidden, Rule: rule, Why: why, Flag: flag}
	}
	return p.auth.check(r, purpose, c)
}
