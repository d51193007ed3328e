//go:build unix

package bridge

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"wspipe/bridge/framing"

	"github.com/coder/websocket"
)

func TestEndExit(t *testing.T) {
	t.Parallel()
	const accessViolation = min(0xC0000005, math.MaxInt) // an exit status of Windows
	for _, test := range []struct {
		code     int
		signal   string
		exitCode bool
		want     websocket.StatusCode
		reason   string
	}{
		{0, "", false, 1000, "exit 0"},
		{3, "", false, 1000, "exit 3"},
		{255, "", false, 1000, "exit 255"},
		{143, "TERM", false, 1000, "signal TERM"},
		{143, "", false, 1000, "exit 143"},
		{0, "", true, 1000, "exit 0"},
		{3, "", true, 4003, "exit 3"},
		{255, "", true, 4255, "exit 255"},
		{143, "TERM", true, 4143, "signal TERM"},
		{accessViolation, "", true, 4999, "exit " + strconv.Itoa(accessViolation)},
		{-1, "", true, 4999, "exit -1"},
	} {
		e := endExit(test.code, test.signal, test.exitCode)
		if e.Code != test.want || e.Reason != test.reason || e.by != byUs {
			t.Errorf("%d %q %t: %+v", test.code, test.signal, test.exitCode, e)
		}
	}
}

func TestEndCannotStart(t *testing.T) {
	t.Parallel()
	if e := endCannotStart("no such file"); e.Code != 1011 || e.Reason != "cannot start: no such file" {
		t.Errorf("%+v", e)
	}
	if e := endCannotStart(strings.Repeat("é", 100)); len(e.Reason) > maxReason {
		t.Errorf("reason of %d bytes", len(e.Reason))
	}
}

func TestCloseCodesAndReasons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		end    End
		code   websocket.StatusCode
		reason string
	}{
		{endShutdown, 1001, "server shutting down"},
		{endRuntime, 4001, "max runtime"},
		{endIdle, 4002, "idle timeout"},
		{endNotUTF8, 1007, "text is not UTF-8"},
		{endProtocol, 1002, "protocol error"},
		{endSilent, 1008, "no answer to pings"},
		{endTooBig(1 << 20), 1009, "message over 1048576 bytes"},
	} {
		if test.end.Code != test.code || test.end.Reason != test.reason {
			t.Errorf("%+v, want %d %q", test.end, test.code, test.reason)
		}
	}
}

// A reason is the longest prefix of the text that fits a close frame: at most 123 bytes of
// UTF-8.
func FuzzCutReason(f *testing.F) {
	f.Add("exit 0")
	for _, s := range []string{"", "a", "é", "\xff", "\xe2\x82", "\xf0\x9f\x98\x80", "\xed\xa0\x80"} {
		f.Add(strings.Repeat("x", maxReason-3) + s + "more")
		f.Add(strings.Repeat(s, maxReason))
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := cutReason(s)
		clean := framing.AppendValid(nil, []byte(s))
		if len(got) > maxReason || !utf8.ValidString(got) || !strings.HasPrefix(string(clean), got) {
			t.Errorf("%q became %q (%d bytes)", s, got, len(got))
		}
		if missing := len(clean) - len(got); missing > 0 && len(got) <= maxReason-utf8.UTFMax {
			t.Errorf("%q was cut to %d bytes", s, len(got))
		}
	})
}
