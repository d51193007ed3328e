package trace

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// secret replaces what is secret.
const secret = "***"

var (
	secretFields     = []string{"authorization", "proxy-authorization", "cookie", "set-cookie"}
	secretParameters = []string{"access_token", "wspipe_session", "wspipe_trace"}
)

// redactField returns a header field, or a continuation line of one (RFC 9112 section 5.2),
// without its secrets.
func (s *stream) redactField(line string) string {
	name, value, hasName := strings.Cut(line, ":")
	if line[0] == ' ' || line[0] == '\t' {
		name, value, hasName = "", line, false
	} else {
		s.lastName = strings.ToLower(strings.Trim(name, " \t"))
	}
	switch {
	case slices.Contains(secretFields, s.lastName):
		value = " " + secret
	case s.lastName == "sec-websocket-protocol":
		value = redactSubprotocols(value)
	default:
		value = redactURLs(value)
	}
	if hasName {
		return name + ":" + value
	}
	if name != "" { // no field at all
		return redactURLs(line)
	}
	return value
}

// redactSubprotocols returns a list of subprotocols without bearer tokens: the end of a name
// with "bearer", or the name after such a word.
func redactSubprotocols(list string) string {
	names := strings.Split(list, ",")
	previous := ""
	for i, name := range names {
		lower := strings.ToLower(strings.TrimSpace(name))
		at := strings.LastIndex(strings.ToLower(name), "bearer")
		switch {
		case previous == "bearer" || previous == "access_token" || previous == "authorization":
			names[i] = " " + secret
		case at >= 0 && lower != "bearer":
			const kubernetes = ".authorization.k8s.io."
			at += len("bearer")
			if strings.HasPrefix(strings.ToLower(name[at:]), kubernetes) {
				at += len(kubernetes)
			} else {
				at = min(at+1, len(name))
			}
			names[i] = name[:at] + secret
		}
		previous = lower
	}
	return strings.Join(names, ",")
}

// redactURLs returns text without the secret query parameters and the userinfo of the URLs
// in it.
func redactURLs(text string) string { return redactParameters(redactUserinfo(text)) }

func redactUserinfo(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "//")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("//")
		authority := after
		if end := strings.IndexAny(after, "/?# \t\"<>"); end >= 0 {
			authority = after[:end]
		}
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			b.WriteString(secret)
			after = after[at:]
		}
		text = after
	}
}

func redactParameters(text string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(text, '=')
		if at < 0 {
			return b.String() + text
		}
		name := text[strings.LastIndexAny(text[:at], "?&;#,/ \t\"'<=")+1 : at]
		b.WriteString(text[:at+1])
		if text = text[at+1:]; !isSecretParameter(name) {
			continue
		}
		b.WriteString(secret)
		end := strings.IndexAny(text, "&# \t\"")
		if end < 0 {
			return b.String()
		}
		text = text[end:]
	}
}

func isSecretParameter(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return slices.ContainsFunc(secretParameters, func(s string) bool { return strings.EqualFold(s, name) })
}

// clean escapes what is not printable, such as control characters and bidirectional marks.
func clean(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if strconv.IsPrint(r) && !(r == utf8.RuneError && size == 1) {
			b.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}
