package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wspipe/bridge/framing"
	"wspipe/process"
)

// The functions in this file parse the values of flags. An error says what the value must be;
// the caller prepends the flag.

func boolean(s string) (bool, error) {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, errors.New("must be true or false")
	}
	return v, nil
}

// integer returns a parser for numbers from low to high.
func integer(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		switch {
		case err == nil && low <= n && n <= high:
			return n, nil
		case low == math.MinInt:
			return 0, errors.New("must be a number")
		case high == math.MaxInt:
			return 0, fmt.Errorf("must be a number of at least %d", low)
		}
		return 0, fmt.Errorf("must be a number from %d to %d", low, high)
	}
}

func milliseconds(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return 0, errors.New("must be a number of milliseconds, such as 500")
	}
	return time.Duration(n) * time.Millisecond, nil
}

func grace(s string) (time.Duration, error) {
	if s == "-1" {
		return process.WaitForever, nil
	}
	d, err := milliseconds(s)
	if err != nil {
		return 0, errors.New("must be a number of milliseconds, such as 500, or -1 for forever")
	}
	return d, nil
}

func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errors.New("must be a duration, such as 30s, 5m or 1h30m")
	}
	return d, nil
}

// size parses a number of bytes, KiB, MiB or GiB.
func size(s string) (int64, error) {
	shift, number := 0, s
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			shift, number = 10*(i+1), n
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, errors.New("must be a size, such as 65536, 64KiB or 1MiB")
	}
	return int64(n) << shift, nil
}

func windowSize(s string) (process.WindowSize, error) {
	size, err := process.ParseWindowSize(s)
	if err != nil {
		return size, errors.New("must be a size, such as 80x24")
	}
	return size, nil
}

func nonEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("must not be empty")
	}
	return s, nil
}

func parseFraming(s string) (framing.Framing, error) {
	f, err := framing.Parse(s)
	if err != nil {
		return 0, notOneOf(framing.Names())
	}
	return f, nil
}

func notOneOf(words []string) error {
	return fmt.Errorf("must be one of %s", strings.Join(words, ", "))
}

// oneOf returns a parser that accepts the given words.
func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", notOneOf(words)
		}
		return s, nil
	}
}

// tokenPattern matches a token (RFC 9110, section 5.6.2).
var tokenPattern = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

func token(s string) (string, error) {
	if !tokenPattern.MatchString(s) {
		return "", fmt.Errorf("%q is not a token of letters, digits and -!#$%%&'*+.^_`|~", s)
	}
	return s, nil
}

// socketMode parses the permission bits of a socket, in octal.
func socketMode(s string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(s, 8, 32)
	if err != nil || mode == 0 || mode > uint64(fs.ModePerm) {
		return 0, errors.New("must be an octal mode, such as 0660")
	}
	return fs.FileMode(mode), nil
}

// assignment accepts NAME=VALUE.
func assignment(s string) (string, error) {
	name, value, ok := strings.Cut(s, "=")
	switch {
	case !ok:
		return "", errors.New("must be NAME=VALUE")
	case name == "":
		return "", errors.New("NAME must not be empty")
	case strings.ContainsRune(name, 0) || strings.ContainsRune(value, 0):
		return "", errors.New("must not contain NUL")
	}
	return s, nil
}

// envNames returns the setter of a list of environment variables. An empty value makes the list
// empty.
func envNames(to *[]string) func(string) error {
	add := list(to, func(s string) (string, error) {
		if s == "" || strings.ContainsAny(s, "=\x00") {
			return "", fmt.Errorf("%q is not a variable name", s)
		}
		return s, nil
	})
	return func(s string) error {
		if s == "" {
			*to = []string{}
			return nil
		}
		return add(s)
	}
}

// plainPattern matches words that need no quotes in a shell.
var plainPattern = regexp.MustCompile(`^[-+=:,./@%_A-Za-z0-9]+$`)

// shellWords quotes words for a shell and joins them on one line.
func shellWords(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case plainPattern.MatchString(w):
			quoted[i] = w
		case strconv.CanBackquote(strings.ReplaceAll(w, "`", "")) && !strings.Contains(w, "\t"):
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		default:
			inner := strconv.Quote(w)
			quoted[i] = "$'" + strings.ReplaceAll(inner[1:len(inner)-1], "'", `\'`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
