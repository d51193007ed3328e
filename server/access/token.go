package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"wspipe/server/watch"
)

const (
	// tokenParameter is the query parameter for a token (RFC 6750, section 2.3).
	tokenParameter = "access_token"
	// tokenSubprotocol is the prefix of a subprotocol that carries a token in base64url,
	// as in Kubernetes: a script of a page cannot set headers of its handshake, but it can
	// offer subprotocols. The page must also offer a real one, because a browser requires
	// the server to select one of the offer.
	tokenSubprotocol = "base64url.bearer.authorization.k8s.io."
)

// tokenInHeader matches a token parameter in a header value.
var tokenInHeader = SecretParameters(tokenParameter)

// b64token is the syntax of a bearer token (RFC 6750, section 2.1).
var b64token = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// digest is a SHA-256 sum or an authentication code. Digests are compared in constant time.
type digest [sha256.Size]byte

// tokenSet has the sums of the valid tokens and, in the same order, their passes.
type tokenSet struct{ sums, passes []digest }

// watchTokens reads the token file at path. It returns an error if the file has no tokens.
func watchTokens(log *slog.Logger, path string) (*watch.Value[tokenSet], error) {
	key := newPassKey()
	w, err := watch.New(log, func() (tokenSet, error) { return readTokens(path, key) }, path)
	if err == nil && len(w.Get().sums) == 0 {
		err = fmt.Errorf("read %s: it contains no tokens", path)
	}
	return w, err
}

// readTokens reads a file with one token per line.
func readTokens(path string, key passKey) (g tokenSet, err error) {
	err = eachLine(path, func(line string) error {
		if !b64token.MatchString(line) {
			return errors.New("want one token of letters, digits and -._~+/ (RFC 6750, section 2.1)")
		}
		g.sums = append(g.sums, sha256.Sum256([]byte(line)))
		g.passes = append(g.passes, key.pass(line))
		return nil
	})
	return g, err
}

// verifyTokens verifies the tokens of a request. There must be at least one, and all must be
// valid.
func (g tokenSet) verifyTokens(tokens []string) (v verified, ok bool) {
	good, last := 0, -1
	for _, token := range tokens {
		if last = indexDigest(g.sums, sha256.Sum256([]byte(token))); last >= 0 {
			good++
		}
	}
	if len(tokens) == 0 || good < len(tokens) {
		return verified{}, false
	}
	v = g.bearer(last)
	v.pass = passEncoding.EncodeToString(g.passes[last][:])
	return v, true
}

// verifyPasses verifies the passes of a request. One must be valid; others may be cookies of
// another server.
func (g tokenSet) verifyPasses(passes []digest) (v verified, ok bool) {
	for _, pass := range passes {
		if at := indexDigest(g.passes, pass); at >= 0 {
			return g.bearer(at), true
		}
	}
	return verified{}, false
}

// bearer returns the identity of the token with index at.
func (g tokenSet) bearer(at int) verified {
	return verified{authType: "Bearer", identity: "token " + hex.EncodeToString(g.sums[at][:])}
}

// indexDigest returns the index of d in list, or -1.
func indexDigest(list []digest, d digest) (at int) {
	at = -1
	for i := range list { // no early return, for constant time
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(list[i][:], d[:]), i, at)
	}
	return at
}

// removeTokens removes the tokens from r, except from the Authorization header, and returns
// all of them. A malformed token is empty. inQuery reports whether the query has one.
func removeTokens(r *http.Request) (found []string, inQuery bool) {
	if values := r.Header.Values("Authorization"); len(values) == 1 {
		if scheme, token, _ := strings.Cut(values[0], " "); strings.EqualFold(scheme, "Bearer") {
			found = append(found, strings.TrimLeft(token, " "))
		}
	}
	query, values := WithoutParameter(r.URL.RawQuery, tokenParameter)
	found = append(found, values...)
	r.URL.RawQuery, r.RequestURI = query, WithoutToken(r.RequestURI)
	found = append(found, removeSubprotocolTokens(r.Header)...)
	CleanHeader(r.Header, tokenInHeader, found...)
	return found, len(values) > 0
}

// WithoutToken removes the tokens from uri's query.
func WithoutToken(uri string) string {
	before, query, _ := strings.Cut(uri, "?")
	rest, values := WithoutParameter(query, tokenParameter)
	switch {
	case len(values) == 0:
		return uri
	case rest == "":
		return before
	}
	return before + "?" + rest
}

// removeSubprotocolTokens removes the tokens from the offered subprotocols and returns them.
func removeSubprotocolTokens(h http.Header) (found []string) {
	const name = "Sec-Websocket-Protocol"
	var lines []string
	for _, line := range h[name] {
		var kept []string
		for _, entry := range HeaderList([]string{line}) {
			if token, ok := subprotocolToken(entry); ok {
				found = append(found, token)
			} else {
				kept = append(kept, entry)
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, ", "))
		}
	}
	switch {
	case len(found) == 0:
	case len(lines) == 0:
		h.Del(name)
	default:
		h[name] = lines
	}
	return found
}

// subprotocolToken decodes a token that is offered as a subprotocol. It accepts padding,
// although neither the encoding nor a subprotocol allows it. An invalid token is empty.
func subprotocolToken(entry string) (token string, ok bool) {
	n := len(tokenSubprotocol)
	if len(entry) < n || !strings.EqualFold(entry[:n], tokenSubprotocol) {
		return "", false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(entry[n:], "="))
	if err != nil {
		return "", true
	}
	return string(decoded), true
}
