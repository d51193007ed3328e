package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// A browser loads the parts of the console's page by itself, and sends no token
// with that. So who gets the page by a token in its address gets a cookie, too,
// with a pass for the parts, and for nothing that starts anything. It does not
// tell the token, since cookies know no ports: a browser sends them to all servers
// of a host (RFC 6265, section 8.5).
const (
	//
	// Its name ends with the port: a host has one cookie of a name.
	passCookie = "wspipe_"
	// ownPrefix begins the paths of what is our own, see ownPath. No file and no
	// CGI program has one.
	ownPrefix = "/.wspipe/"
)

// ownPath returns where below ownPrefix a path leads, and the directory that
// contains that. The console's page asks for its parts below its own directory,
// whatever that is: a proxy may have taken a prefix off the path, which neither
// the page nor we know.
func ownPath(path string) (dir, own string, ok bool) {
	i := strings.LastIndex(path, ownPrefix)
	if i < 0 {
		return "", "", false
	}
	return path[:i+1], path[i:], true
}

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

// setPass gives v's browser the cookie, if v has a pass, until the browser ends. It
// has no Path, so that the browser takes the directory of the page as it knows it
// (RFC 6265, section 5.1.4).
func setPass(w http.ResponseWriter, r *http.Request, v *visitor) {
	if v.pass == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: passCookie + (&url.URL{Host: r.Host}).Port(), Value: v.pass, HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteStrictMode,
	})
}

// takePasses returns the passes in h, whether they are worth anything or not, and
// removes the cookies.
func takePasses(h http.Header) (found []digest) {
	const name = "Cookie"
	var kept []string
	for _, line := range h[name] {
		rest, values := withoutPasses(line)
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

// withoutPasses returns a line of cookies without ours, and the values of these.
// All else stays byte for byte.
func withoutPasses(line string) (rest string, values []string) {
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
