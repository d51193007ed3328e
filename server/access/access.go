// Package access decides which requests a server admits: which client sends a
// request, whether the page that it comes from may, and whether the client has
// authenticated. It removes credentials from requests.
package access

import (
	"log/slog"
	"net/http"
	"net/netip"
)

// Rules says which requests are admitted.
type Rules struct {
	// Auth lists how clients authenticate.
	Auth Auth
	// ClientCertificate requires a verified TLS certificate of each client, besides
	// Auth. The server sets it with TLS.ClientCA.
	ClientCertificate bool
	// TrustedProxies may name the clients whose requests they forward.
	TrustedProxies TrustedProxies
	// Origins lists which other web pages may connect:
	// [scheme://]host[:port], "null" or "*".
	Origins []string
	// Hosts are the names, beside IP literals, loopback names and this
	// machine's own name, under which web pages may reach us.
	Hosts []string
}

// Auth lists the ways to authenticate; each of them is sufficient. The zero value
// admits everyone.
type Auth struct {
	// Basic is a USER:PASS for basic authentication (RFC 7617).
	Basic string
	// HtpasswdFile has a USER:HASH in each line, with bcrypt hashes. It is read again
	// when it changes.
	HtpasswdFile string
	// TokenFile has a bearer token (RFC 6750) in each line. It is read again
	// when it changes.
	TokenFile string
	// ProxyHeader is the request header in which TrustedProxies tell the
	// user's name. Nobody else is believed.
	ProxyHeader string
}

// TrustedProxies are the addresses whose X-Forwarded-For, X-Forwarded-Proto and
// Auth.ProxyHeader are believed. The zero value trusts none.
type TrustedProxies struct {
	// Networks are the addresses of the proxies.
	Networks []netip.Prefix
	// Unix trusts whoever may connect to a unix socket.
	Unix bool
}

// Policy decides which requests are admitted.
type Policy struct {
	proxies TrustedProxies
	origins *originRule
	auth    *authenticator
}

// NewPolicy reads the files of rules. It logs when they are read again. Its errors
// never contain secrets.
func NewPolicy(rules Rules, log *slog.Logger) (p *Policy, err error) {
	p = &Policy{proxies: rules.TrustedProxies}
	if p.origins, err = newOriginRule(rules.Origins, rules.Hosts); err != nil {
		return nil, err
	}
	p.auth, err = newAuthenticator(rules, log)
	return p, err
}

// Reload reads the files with secrets again, whether they seem to have changed or
// not.
func (p *Policy) Reload() { p.auth.reload() }

// Authenticates reports whether every client must authenticate.
func (p *Policy) Authenticates() bool { return p.auth.certificate || len(p.auth.flags) > 0 }

// Purpose is what a request is for, as far as the rules depend on it.
type Purpose struct {
	WebSocket bool // it is an opening handshake
	Program   bool // it starts a program, or attaches to one
	Own       bool // it reads what is the server's own, for which a pass is sufficient
}

// Check returns nil if the host, origin and authentication rules, in this order,
// admit r. Then c, which ClientOf has returned, also has the user. Either way,
// credentials are removed from r, unless its host or origin is refused.
func (p *Policy) Check(r *http.Request, c *Client, purpose Purpose) *Refusal {
	if why, flag := p.origins.refuse(r, purpose, hostOf(r, c.scheme())); why != "" {
		return &Refusal{Status: http.StatusForbidden, Why: why, Flag: flag}
	}
	return p.auth.check(r, purpose, c)
}
