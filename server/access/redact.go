package access

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// WithoutParameter returns query without the parameter called name, otherwise unchanged, and
// the values of that parameter. A value with invalid encoding is empty.
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

// cutParameter reports whether pair sets the parameter called name, and returns its value.
// Some programs also separate parameters by semicolons. net/url considers that invalid, and so
// the value is empty then.
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

// minSecretSize is the size in bytes from which CleanHeader removes a secret wherever it
// occurs. Removing shorter ones would damage ordinary words.
const minSecretSize = 8

// SecretParameters returns a pattern for CleanHeader that matches the secret query parameters
// with these names, each after its separator.
func SecretParameters(names ...string) *regexp.Regexp {
	return regexp.MustCompile(`[?&;](` + strings.Join(names, "|") + `)(=|&|;|$)`)
}

// CleanHeader removes the query parameters that secret matches from all values of h, and all
// other occurrences of words. Referer has the URL of the page, and proxies copy the URL of the
// request to headers such as X-Original-URI, sometimes inside another URL.
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

// redact removes the parameters that secret matches from value, which may contain a URL or a
// query. A cookie may have the name of a parameter.
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

// maxEncodings bounds how often a URL inside another URL may be percent-encoded.
const maxEncodings = 3

var encodedByte = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// hasParameter reports whether secret matches s, also if s is percent-encoded up to
// maxEncodings times.
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

// HeaderList returns the elements of a header that is a comma-separated list (RFC 9110,
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
