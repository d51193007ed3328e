package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// passCookie is the prefix of the name of the cookie with a pass. The port follows, because
// all ports of a host share their cookies.
//
// A browser loads the parts of the console's page without the token that is in the page's
// URL. So a client that loads the page with a token in its URL also gets a cookie with a
// pass. The pass admits it to the parts, and to nothing that starts a program. It does not
// reveal the token, because a browser sends cookies to all ports of a host (RFC 6265,
// section 8.5).
const passCookie = "wspipe_"

// passKey is the key for the passes of one server, valid until the server ends.
type passKey digest

func newPassKey() (k passKey) {
	rand.Read(k[:]) // never fails
	return k
}

// pass returns the pass for a client with token.
func (k passKey) pass(token string) (pass digest) {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(token))
	mac.Sum(pass[:0])
	return pass
}

var passEncoding = base64.RawURLEncoding

// SetPass sets a session cookie with the pass of c, if c has one. The cookie has no Path, so
// that the browser uses the directory of the page (RFC 6265, section 5.1.4), even behind a
// proxy that changes it.
func (c *Client) SetPass(w http.ResponseWriter, r *http.Request) {
	if c.pass == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: passCookie + (&url.URL{Host: r.Host}).Port(), Value: c.pass, HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteStrictMode,
	})
}

// removePasses removes the cookies from h and returns their passes, which may be invalid.
func removePasses(h http.Header) (found []digest) {
	const name = "Cookie"
	var kept []string
	for _, line := range h[name] {
		rest, values := cutPasses(line)
		for _, value := range values {
			if p, err := passEncoding.DecodeString(value); err == nil && len(p) == len(digest{}) {
				found = append(found, digest(p))
			}
		}
		if rest != "" || len(values) == 0 {
			kept = append(kept, rest)
		}
	}
	if len(kept) == 0 {
		h.Del(name)
	} else {
		h[name] = kept
	}
	return found
}

// cutPasses returns a line of cookies without ours, otherwise unchanged, and the values of
// ours.
func cutPasses(line string) (rest string, values []string) {
	var kept []string
	for pair := range strings.SplitSeq(line, ";") {
		if name, value, _ := strings.Cut(pair, "="); isPass(strings.TrimSpace(name)) {
			values = append(values, strings.TrimSpace(value))
		} else {
			kept = append(kept, pair)
		}
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " "), values
}

// isPass reports whether name is that of a pass cookie for any port.
func isPass(name string) bool {
	port, ok := strings.CutPrefix(name, passCookie)
	return ok && strings.Trim(port, "0123456789") == ""
}
