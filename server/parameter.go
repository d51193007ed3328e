package server

import (
	"net/url"
	"strings"
)

// withoutParameter returns query without the parameter called name, and the
// parameter's values. All else stays byte for byte. A value that is wrongly
// encoded is empty.
func withoutParameter(query, name string) (rest string, values []string) {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := parameterIn(pair, name); ok {
			values = append(values, value)
		} else {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&"), values
}

// parameterIn reports whether pair sets the parameter called name. Some programs
// take semicolons for ampersands, so that they would find it in between, too; for
// net/url that is wrong, and so is its value.
func parameterIn(pair, name string) (value string, ok bool) {
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
