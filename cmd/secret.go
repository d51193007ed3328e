package cmd

import "strings"

// secretFlag is the flag whose value no message repeats, and hiddenValue what
// stands for it.
const (
	secretFlag  = "basic-auth"
	hiddenValue = "..."
)

// shellLine is shellWords for a command line, or part of one, as it may be shown.
func shellLine(words ...string) string {
	shown := make([]string, len(words))
	isValue := false
	for i, word := range words {
		name, _, hasValue := strings.Cut(word, "=")
		isSecret := strings.HasPrefix(name, "-") && strings.TrimLeft(name, "-") == secretFlag
		switch {
		case isValue:
			shown[i] = hiddenValue
		case isSecret && hasValue:
			shown[i] = name + "=" + hiddenValue
		default:
			shown[i] = word
		}
		isValue = isSecret && !hasValue
	}
	return shellWords(shown...)
}
