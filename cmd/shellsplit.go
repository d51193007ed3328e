package cmd

import (
	"errors"
	"fmt"
	"strings"
)

// shellLine is a line of words that are quoted as in a shell. It may span several lines of the file.
type shellLine struct {
	number int // of its first line
	words  []string
	err    error // why the words are not complete
}

// splitLines splits text, which is quoted as in a shell, but expands nothing. Lines without words
// are skipped. There are libraries for this: those of shells expand variables and globs and reject
// operators, and the small ones do not count lines.
func splitLines(text string) (lines []shellLine) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for number := 1; text != ""; {
		line := shellLine{number: number}
		rest := line.read(text)
		number += strings.Count(text[:len(text)-len(rest)], "\n")
		if text = rest; len(line.words) > 0 || line.err != nil {
			lines = append(lines, line)
		}
	}
	return lines
}

// read reads the words of one line and returns the text behind it.
func (l *shellLine) read(text string) (rest string) {
	var word []byte // nil between words
	end := func() {
		if word != nil {
			l.words, word = append(l.words, string(word)), nil
		}
	}
	for text != "" {
		switch c := text[0]; {
		case c == '\n':
			end()
			return text[1:]
		case c == ' ' || c == '\t':
			end()
			text = text[1:]
		case c == '#' && word == nil:
			text = text[lineEnd(text):]
		case c == '\'' || c == '"':
			content, n := quoted(text)
			if n == 0 {
				l.err = fmt.Errorf("the quote %c does not end on its line", c)
				n = lineEnd(text)
				if text[n-1] == '\\' { // the next line belongs to this one
					n = min(n+1, len(text))
				}
			}
			if word == nil { // even if there is nothing in the quotes
				word = []byte{}
			}
			word, text = append(word, content...), text[n:]
		case c == '\\' && len(text) == 1 || strings.HasPrefix(text, "\\\n"):
			text = text[min(2, len(text)):]
		case c == '\\':
			word, text = append(word, text[1]), text[2:]
		default:
			if c == 0 {
				l.err = errors.New("the line contains a NUL byte")
			}
			word, text = append(word, c), text[1:]
		}
	}
	end()
	return ""
}

// lineEnd returns the index of the newline in text, or the length of text.
func lineEnd(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

// quoted returns the content of the quoted string at the beginning of text, and its length with the
// quotes, which is 0 if it does not end on its line.
func quoted(text string) (content []byte, n int) {
	quote := text[0]
	for i := 1; i < len(text) && text[i] != '\n'; i++ {
		switch {
		case text[i] == quote:
			return content, i + 1
		case quote == '"' && text[i] == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
		}
		content = append(content, text[i])
	}
	return nil, 0
}
