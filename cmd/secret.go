package cmd

import (
	"regexp"
	"slices"
	"strings"
)

// secretFlags are those whose values no message repeats, and hiddenValue is what
// stands for one.
var secretFlags = []string{"basic-auth", "token"}

const hiddenValue = "..."

// What is secret in other words: the user of a URL, also of one that is not
// written as it should be, a token in its query, and what some headers say.
var (
	userPattern   = regexp.MustCompile(`(?s)(?:(://)|^[^/:@]+:[^/]).*@`)
	queryPattern  = regexp.MustCompile(`(?i)([?&](?:access_)?token=)[^&#]*`)
	headerPattern = regexp.MustCompile(`(?is)^((?:--?header=)?(?:proxy-)?(?:authorization|cookie)\s*:).*`)
)

// shownValue is the value of a flag as it may be shown.
func shownValue(name, value string) string {
	if slices.Contains(secretFlags, name) {
		return hiddenValue
	}
	return shownWord(value)
}

// shownWord is a word of a command line as it may be shown.
func shownWord(word string) string {
	word = userPattern.ReplaceAllString(word, "${1}"+hiddenValue+"@")
	word = queryPattern.ReplaceAllString(word, "${1}"+hiddenValue)
	return headerPattern.ReplaceAllString(word, "${1} "+hiddenValue)
}

// shellLine is shellWords for a command line, or part of one, as it may be shown.
func shellLine(words ...string) string {
	shown := make([]string, len(words))
	isValue := false
	for i, word := range words {
		name, _, hasValue := strings.Cut(word, "=")
		isSecret := strings.HasPrefix(name, "-") && slices.Contains(secretFlags, strings.TrimLeft(name, "-"))
		switch {
		case isValue:
			shown[i] = hiddenValue
		case isSecret && hasValue:
			shown[i] = name + "=" + hiddenValue
		default:
			shown[i] = shownWord(word)
		}
		isValue = isSecret && !hasValue
	}
	return shellWords(shown...)
}
