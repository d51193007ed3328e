package cmd

import (
	"regexp"
	"slices"
	"strings"
)

// secretFlags are those whose values no message repeats, and redacted is what
// stands for one.
var secretFlags = []string{"basic-auth", "token"}

const redacted = "..."

// What is secret in other words: the user of a URL, also of one that is not
// written as it should be, a token in its query, and what some headers say.
var (
	userPattern   = regexp.MustCompile(`(?s)(?:(://)|^[^/:@]+:[^/]).*@`)
	queryPattern  = regexp.MustCompile(`(?i)([?&](?:access_)?token=)[^&#]*`)
	headerPattern = regexp.MustCompile(`(?is)^((?:--?header=)?(?:proxy-)?(?:authorization|cookie)\s*:).*`)
)

// redactValue is the value of a flag as it may be shown.
func redactValue(name, value string) string {
	if slices.Contains(secretFlags, name) {
		return redacted
	}
	return redactWord(value)
}

// redactWord is a word of a command line as it may be shown.
func redactWord(word string) string {
	word = userPattern.ReplaceAllString(word, "${1}"+redacted+"@")
	word = queryPattern.ReplaceAllString(word, "${1}"+redacted)
	return headerPattern.ReplaceAllString(word, "${1} "+redacted)
}

// redactedLine is shellWords for a command line, or part of one, as it may be shown.
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
