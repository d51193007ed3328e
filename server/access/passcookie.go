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

// passCookie begins the name of the cookie that holds a pass; the port follows,
// because a host has one cookie of a name.
//
// A browser loads the parts of the console's page by itself, and sends no token
// with these requests. So a client that loads the page with a token in its address
// also gets a cookie with a pass. The pass admits it to the parts, and to nothing
// that starts a program. It does not reveal the token, because a browser sends
// cookies to all ports of a host (RFC 6265, section 8.5).
const passCookie = "wspipe_"

// passKey makes the passes of one server, which are worth nothing to another, nor
// to the same one when it is started again.
type passKey digest

func newPassKey() (k passKey) {
	rand.Read(k[:]) // never fails
	return k
}

// pass returns the pass for whoever has token.
func (k passKey) pass(token string) (pass digest) {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(token))
	mac.Sum(pass[:0])
	return pass
}

var passEncoding = base64.RawURLEncoding

// SetPass gives the browser of c the cookie until the browser ends, if c has a pass.
// The cookie has no Path, so that the browser takes the directory of the page as it
// knows it (RFC 6265, section 5.1.4).
func (c *Client) SetPass(w http.ResponseWriter, r *http.Request) {
	if c.pass == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: passCookie + (&url.URL{Host: r.Host}).Port(), Value: c.pass, HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteStrictMode,
	})
}

// removePasses returns the passes in h, whether they are worth anything or not, and
// removes the cookies.
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

// cutPasses returns a line of cookies without ours, and the values of these.
// All else stays byte for byte.
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

// isPass reports whether a cookie is one of ours, of whatever port.
func isPass(name string) bool {
	port, ok := strings.CutPrefix(name, passCookie)
	return ok && strings.Trim(port, "0123456789") == ""
}
