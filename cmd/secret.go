package cmd

import (
	"regexp"
	"slices"
	"strings"
)

// secretFlags are the flags whose values appear in no message. The text redacted replaces them.
var secretFlags = []string{"basic-auth", "token"}

const redacted = "..."

// Secrets in other words: the user in a URL, even in a malformed one, a token in its query, and
// the values of some headers.
var (
	userPattern   = regexp.MustCompile(`(?s)(?:(://)|^[^/:@]+:[^/]).*@`)
	queryPattern  = regexp.MustCompile(`(?i)([?&](?:access_)?token=)[^&#]*`)
	headerPattern = regexp.MustCompile(`(?is)^((?:--?header=)?(?:proxy-)?(?:authorization|cookie)\s*:).*`)
)

// redactValue returns the value of a flag without secrets.
func redactValue(name, value string) string {
	if slices.Contains(secretFlags, name) {
		return redacted
	}
	return redactWord(value)
}

// redactWord returns a word of a command line without secrets.
func redactWord(word string) string {
	word = userPattern.ReplaceAllString(word, "${1}"+redacted+"@")
	word = queryPattern.ReplaceAllString(word, "${1}"+redacted)
	return headerPattern.ReplaceAllString(word, "${1} "+redacted)
}

// redactedLine is like shellWords, for words of a command line, without secrets.
func redactedLine(words ...string) string {
	shown := make([]string, len(words))
	isValue := false
	for i, word := range words {
		name, _, hasValue := strings.Cut(word, "=")
		isSecret := strings.HasPrefix(name, "-") && slices.Contains(secretFlags, strings.TrimLeft(name, "-"))
		switch {
		case isValue:
			shown[i] = redacted
		case isSecret && hasValue:
			shown[i] = name + "=" + redacted
		default:
			shown[i] = redactWord(word)
		}
		isValue = isSecret && !hasValue
	}
	return shellWords(shown...)
}
