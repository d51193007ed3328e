package access

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// WithoutParameter returns query without the parameter called name, and the
// parameter's values. All else stays byte for byte. A value that is wrongly
// encoded is empty.
func WithoutParameter(query, name string) (rest string, values []string) {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := cutParameter(pair, name); ok {
			values = append(values, value)
		} else {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&"), values
}

// cutParameter reports whether pair sets the parameter called name. Some programs
// take semicolons for ampersands, so that they would find it in between, too; for
// net/url that is wrong, and so is its value.
func cutParameter(pair, name string) (value string, ok bool) {
	for part := range strings.SplitSeq(pair, ";") {
		key, value, _ := strings.Cut(part, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if part != pair {
			return "", true
		}
		value, _ = url.QueryUnescape(value) // empty after an error
		return value, true
	}
	return "", false
}

// minSecretSize is the length from which a secret is removed from headers wherever
// it occurs. Removing a shorter one would damage ordinary words.
const minSecretSize = 8

// SecretParameters returns a pattern for CleanHeader. It matches the names of secret
// query parameters, behind what separates them from others.
func SecretParameters(names ...string) *regexp.Regexp {
	return regexp.MustCompile(`[?&;](` + strings.Join(names, "|") + `)(=|&|;|$)`)
}

// CleanHeader removes the query parameters that secret matches from all values of
// h, and any other occurrence of words. The page's own address is in Referer, and
// proxies pass on the request's in headers such as X-Original-URI, or as a part of
// another address.
func CleanHeader(h http.Header, secret *regexp.Regexp, words ...string) {
	for field, values := range h {
		for i, value := range values {
			values[i] = redact(value, secret, field == "Cookie")
			for _, word := range words {
				if len(word) >= minSecretSize {
					values[i] = strings.ReplaceAll(values[i], word, "")
				}
			}
		}
	}
}

// redact removes the parameters that secret matches from value, which may
// hold an address or a query. A cookie may have such a name itself.
func redact(value string, secret *regexp.Regexp, isCookie bool) string {
	if !hasParameter("&"+value, secret) {
		return value
	}
	var clean strings.Builder
	lostQuestionMark := false
	for start := 0; start < len(value); {
		end := len(value)
		if n := strings.IndexAny(value[start+1:], "?&"); n >= 0 {
			end = start + 1 + n
		}
		piece, delimited := value[start:end], value[start:end]
		if start == 0 && !isCookie {
			delimited = "&" + piece
		}
		switch {
		case hasParameter(delimited, secret):
			lostQuestionMark = lostQuestionMark || piece[0] == '?'
		case lostQuestionMark && piece[0] == '&':
			lostQuestionMark = false
			clean.WriteString("?" + piece[1:])
		default:
			lostQuestionMark = false
			clean.WriteString(piece)
		}
		start = end
	}
	return clean.String()
}

// maxEncodings bounds how often an address within an address has been encoded.
const maxEncodings = 3

var encodedByte = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// hasParameter reports whether secret matches s, however often that is encoded.
func hasParameter(s string, secret *regexp.Regexp) bool {
	for range maxEncodings {
		if secret.MatchString(s) {
			return true
		}
		if !strings.Contains(s, "%") {
			return false
		}
		s = encodedByte.ReplaceAllStringFunc(s, func(code string) string {
			b, _ := strconv.ParseUint(code[1:], 16, 8)
			return string([]byte{byte(b)})
		})
	}
	return secret.MatchString(s)
}

// HeaderList splits the values of a header that is a comma-separated list (RFC 9110,
// section 5.6.1).
func HeaderList(values []string) (list []string) {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				list = append(list, t)
			}
		}
	}
	return list
}
