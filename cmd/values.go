package cmd

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"wspipe/bridge"
	"wspipe/process"
)

// Each function here makes a value of a flag's text. Its error says what is
// wrong and what would be right; the caller puts the flag in front.

func boolean(s string) (bool, error) {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, errors.New("neither true nor false")
	}
	return v, nil
}

// integer returns a parser for a number from low to high.
func integer(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		switch {
		case err == nil && low <= n && n <= high:
			return n, nil
		case low == math.MinInt:
			return 0, errors.New("not a number")
		case high == math.MaxInt:
			return 0, fmt.Errorf("not a number from %d up", low)
		}
		return 0, fmt.Errorf("not a number from %d to %d", low, high)
	}
}

func milliseconds(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return 0, errors.New("not a number of milliseconds, such as 500")
	}
	return time.Duration(n) * time.Millisecond, nil
}

func grace(s string) (time.Duration, error) {
	if s == "-1" {
		return process.WaitForever, nil
	}
	d, err := milliseconds(s)
	if err != nil {
		return 0, errors.New("neither a number of milliseconds, such as 500, nor -1 for ever")
	}
	return d, nil
}

func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errors.New("not a duration, such as 30s, 5m or 1h30m")
	}
	return d, nil
}

// size takes a number of bytes, or of KiB, MiB or GiB.
func size(s string) (int64, error) {
	shift, number := 0, s
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			shift, number = 10*(i+1), n
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, errors.New("not a size, such as 65536, 64KiB or 1MiB")
	}
	return int64(n) << shift, nil
}

func nonEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("empty")
	}
	return s, nil
}

func framing(s string) (bridge.Framing, error) {
	f, err := bridge.ParseFraming(s)
	if err != nil {
		return 0, notOneOf(bridge.FramingNames())
	}
	return f, nil
}

func notOneOf(words []string) error {
	return fmt.Errorf("not one of %s", strings.Join(words, ", "))
}

// oneOf returns a parser for one of a few words.
func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", notOneOf(words)
		}
		return s, nil
	}
}

// tokenPattern is the grammar of a token, RFC 9110 section 5.6.2.
var tokenPattern = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

func token(s string) (string, error) {
	if !tokenPattern.MatchString(s) {
		return "", fmt.Errorf("%q is not a token: letters, digits and -!#$%%&'*+.^_`|~", s)
	}
	return s, nil
}

// assignment takes NAME=VALUE.
func assignment(s string) (string, error) {
	name, value, ok := strings.Cut(s, "=")
	switch {
	case !ok:
		return "", errors.New("there is no = in it: NAME=VALUE")
	case name == "":
		return "", errors.New("there is no name before the =: NAME=VALUE")
	case strings.ContainsRune(name, 0) || strings.ContainsRune(value, 0):
		return "", errors.New("it contains a NUL")
	}
	return s, nil
}

// envNames returns the setter of a list of environment variables, which the
// empty value makes an empty one.
func envNames(to *[]string) func(string) error {
	add := list(to, func(s string) (string, error) {
		if s == "" || strings.ContainsAny(s, "=\x00") {
			return "", fmt.Errorf("%q is not the name of a variable", s)
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

// namePattern is what may stand for a host in a URL, but for an IPv6 address.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_.])?$`)

// hostName takes a name or an IP address, an IPv6 one also in brackets. It
// returns the address without.
func hostName(s string) (name string, ok bool) {
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return inner, bracketed && err == nil && addr.Is6()
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, true
	}
	return s, namePattern.MatchString(s)
}

// address takes an address to listen on.
func address(s string) (string, error) {
	name, ok := hostName(s)
	switch {
	case ok:
		return name, nil
	case s == "" || s == "*":
		return "", errors.New("not an address; all there are: --address=0.0.0.0 --address=[::]")
	case hasPort(s):
		return "", errors.New("an address has no port here, that is --port")
	}
	return "", errors.New("neither a name nor an IP address")
}

// host takes a name of this server, as pages use it.
func host(s string) (string, error) {
	name, ok := hostName(s)
	switch {
	case ok:
		return name, nil
	case hasPort(s):
		return "", fmt.Errorf("%q has a port, but a name covers every port", s)
	case strings.Contains(s, "://"):
		return "", fmt.Errorf("%q is a URL, not a host name", s)
	}
	return "", fmt.Errorf("%q is not a host name", s)
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][-+.A-Za-z0-9]*$`)

// origin takes [scheme://]host[:port], "null" or "*".
func origin(s string) (string, error) {
	if s == "*" || s == "null" {
		return s, nil
	}
	scheme, rest, hasScheme := strings.Cut(s, "://")
	if !hasScheme {
		rest = s
	} else if !schemePattern.MatchString(scheme) {
		return "", fmt.Errorf("%q begins with no scheme such as https://", s)
	}
	if at, path, ok := strings.Cut(rest, "/"); ok && at != "" {
		return "", fmt.Errorf("%q has a path, an origin has none: drop /%s", s, path)
	}
	name := rest
	if hasPort(rest) {
		name = rest[:strings.LastIndexByte(rest, ':')]
	}
	if _, ok := hostName(name); !ok || strings.Contains(name, ":") && name[0] != '[' {
		return "", fmt.Errorf("%q is not an origin: [scheme://]host[:port], null or *", s)
	}
	return s, nil
}

// hasPort reports whether s is a host with a port, an IPv6 one in brackets.
func hasPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return false
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	_, ok := hostName(s[:i])
	return ok && err == nil && n > 0 && (s[0] == '[' || !strings.Contains(s[:i], ":"))
}

// plainPattern is what a shell takes as it is.
var plainPattern = regexp.MustCompile(`^[-+=:,./@%_A-Za-z0-9]+$`)

// shellWords writes words as one would type them into a shell, on one line.
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
