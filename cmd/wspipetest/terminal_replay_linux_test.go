package wspipetest_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// watcher is a client that sees a terminal, with channels or without.
type watcher struct {
	*wspipetest.Client
	t        *testing.T
	messages []string // of output
}

func watch(t *testing.T, url, protocol string) *watcher {
	t.Helper()
	opt := &websocket.DialOptions{}
	if protocol != "" {
		opt.Subprotocols = []string{protocol}
	}
	return &watcher{Client: wspipetest.Dial(t, url, opt), t: t}
}

// until reads until the output satisfies done, and returns all of it.
func (w *watcher) until(done func(output string) bool) (output string) {
	w.t.Helper()
	for output = strings.Join(w.messages, ""); !done(output); {
		_, p, err := w.Read(w.Ctx)
		if err != nil {
			w.t.Fatalf("behind %q: %v", output[max(0, len(output)-1000):], err)
		}
		message := string(p)
		if w.Subprotocol() != "" {
			if message[0] != channel.Stdout || len(message) == 1 {
				continue
			}
			message = message[1:]
		}
		w.messages = append(w.messages, message)
		output += message
	}
	return output
}

// expect reads until the output ends as want does, and it must be want.
func (w *watcher) expect(want string) {
	w.t.Helper()
	if got := w.until(func(s string) bool { return strings.HasSuffix(s, want[max(0, len(want)-1):]) && len(s) >= len(want) }); got != want {
		w.t.Errorf("the output is %q, want %q", got, want)
	}
}

func (w *watcher) typed(keys string) {
	if w.Subprotocol() != "" {
		keys = "\x00" + keys
	}
	w.Write(w.Ctx, websocket.MessageBinary, []byte(keys)) // fails if the test is over
}

// replayKinds are the ways in which a client gets what was written before it came.
var replayKinds = map[string]struct{ flags, query string }{
	"broadcast": {"--share=broadcast --linger=-1", ""},
	"resume":    {"--resume=1m --resume-buffer=64KiB", "?wspipe_session=0123456789abcdef0123456789abcdef"},
}

// TestNewTerminalsBeginWithWholeSequences: in the middle of a flood, each of 20 clients
// first gets the modes in effect, and then neither part of a character nor of a
// sequence.
func TestNewTerminalsBeginWithWholeSequences(t *testing.T) {
	t.Parallel()
	const modes = "\x1b[?1049h\x1b[?1h\x1b[?25l\x1b[?2004h\x1b="
	parts := []string{"\x1b[38;5;208m", "g", "r", "ö", "ß", "e", "r", " ", "€", "😀", "\x1b[0m", "\x1b]0;größer\a", "\x1b]8;;http://a\x1b\\", "\x1b[38;2;1;2;3m", "x", "\x1b[m", "\r", "\n"}
	line := strings.Join(parts, "")
	var tails []string
	for i := range parts {
		tails = append(tails, regexp.QuoteMeta(strings.Join(parts[i:], "")))
	}
	whole := regexp.MustCompile("^" + regexp.QuoteMeta(modes) + `(\x1b\[38[;0-9]*m)?(` + strings.Join(tails, "|") + ")(" + regexp.QuoteMeta(line) + ")*")
	for name, kind := range replayKinds {
		for _, protocol := range []string{"", channel.ProtocolWspipe} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				t.Parallel()
				script := fmt.Sprintf(`printf '%s'; exec yes '%s'`, modes, strings.TrimSuffix(line, "\r\n"))
				s := wspipetest.Start(t, append(strings.Fields(kind.flags), "--pty", "/bin/sh", "-c", script)...)
				for range 20 {
					w := watch(t, s.WS+kind.query, protocol)
					got := w.until(func(s string) bool { return len(s) > 100_000 })
					w.CloseNow()
					if matched := whole.FindString(got); matched == "" || !strings.HasPrefix(line, got[len(matched):]) {
						t.Fatalf("%d bytes of %q... are not whole", len(matched), got[:300])
					}
				}
			})
		}
	}
}

// TestNewTerminalsHaveTheModes: a client that comes when what set them is no longer
// held has the modes, also those in which a terminal reports something, but these
// last.
func TestNewTerminalsHaveTheModes(t *testing.T) {
	t.Parallel()
	const modes, reports = "\x1b[?1049h\x1b[?1h\x1b[?25l\x1b[?1006h\x1b[?2004h\x1b=", "\x1b[?1002h\x1b[?1004h"
	script := fmt.Sprintf(`printf '%s%s'; yes | head -c 100000 | tr '\n' y; printf '\033[?1003h\033[?1002hready'; read x`, modes, reports)
	want := regexp.MustCompile("^" + regexp.QuoteMeta(modes) + "y+ready" + regexp.QuoteMeta(reports) + "$")
	for name, kind := range replayKinds {
		for _, protocol := range []string{"", channel.ProtocolWspipe} {
			s := wspipetest.Start(t, append(strings.Fields(kind.flags), "--pty", "/bin/sh", "-c", script)...)
			watch(t, s.WS+kind.query, protocol).until(func(s string) bool { return strings.HasSuffix(s, "ready") })
			got := watch(t, s.WS+kind.query, protocol).until(func(s string) bool { return strings.HasSuffix(s, "1004h") })
			if got = strings.ReplaceAll(got, "\x00", ""); !want.MatchString(got) {
				t.Errorf("%s %s: the output is %q...%q", name, protocol, got[:100], got[len(got)-100:])
			}
		}
	}
}

// asking asks its terminal at the beginning, and after each line.
const asking = `stty raw -echo; printf 'a\033[c\033[6nb'; while read x; do printf '\033]11;?\033\\c'; done`

// TestOneClientIsAsked: of those who share a terminal. If that one goes, another is,
// and rather one with a window.
func TestOneClientIsAsked(t *testing.T) {
	t.Parallel()
	const first, later = "a\x1b[c\x1b[6nb", "\x1b]11;?\x1b\\c"
	for _, protocols := range [][3]string{{"", "", ""}, {channel.ProtocolWspipe, "", channel.ProtocolV5}, {"", channel.ProtocolWspipe, ""}} {
		s := wspipetest.Start(t, "--share=broadcast", "--pty", "/bin/sh", "-c", asking)
		one := watch(t, s.WS, protocols[0])
		one.expect(first)
		two := watch(t, s.WS, protocols[1])
		two.expect("ab")
		two.typed("\n")
		one.expect(first + later)
		two.expect("abc")
		three := watch(t, s.WS+"?wspipe_size=90x30", protocols[2])
		three.expect("abc")
		three.typed("\n") // which is read when its size is known
		one.expect(first + later + "c")
		two.expect("abcc")
		three.expect("abc" + later)
		three.CloseNow()
		s.AwaitStderr("disconnect")
		two.typed("\n")
		one.expect(first + later + "c" + later)
		two.expect("abccc")
	}
}

// release has a child go on that reads from fifo. It must have that open for writing,
// too, or it might see its end.
func release(t *testing.T, fifo string) {
	t.Helper()
	if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
}

// TestAllAreAsked: where nobody's reply reaches the program, the output is the same
// for all, but for the replay.
func TestAllAreAsked(t *testing.T) {
	t.Parallel()
	wait := newFIFO(t)
	s := wspipetest.Start(t, "--share=broadcast", "--readonly", "--pty", "/bin/sh", "-c", `exec 3<>"$0"; printf 'a\033[cb'; read x <&3; printf '\033[6nc'; read x <&3`, wait)
	one := watch(t, s.WS, "")
	one.expect("a\x1b[cb")
	two := watch(t, s.WS, channel.ProtocolWspipe)
	two.expect("ab")
	release(t, wait)
	one.expect("a\x1b[cb\x1b[6nc")
	two.expect("ab\x1b[6nc")
}

// TestResumedTerminalIsAskedOnce: a client that counts from its first message again gets no query that
// another was sent, but as many messages; what nobody was sent yet it is asked, and
// so is one that goes on where it was.
func TestResumedTerminalIsAskedOnce(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"", channel.ProtocolWspipe, channel.ProtocolV4} {
		wait := newFIFO(t)
		const script = `stty raw -echo; exec 3<>"$0"; wait() { read x <&3; }; printf a; wait; printf '\033[c'; wait; printf b; wait; printf '\033[6nc'; wait; printf '\033]11;?\033\\d'; wait`
		s := wspipetest.Start(t, "--resume=1m", "--pty", "/bin/sh", "-c", script, wait)
		session := s.WS + "?wspipe_session=0123456789abcdef0123456789abcdef"
		first := watch(t, session, protocol)
		for _, want := range []string{"a", "a\x1b[c", "a\x1b[cb"} {
			first.expect(want)
			release(t, wait)
		}
		first.expect("a\x1b[cb\x1b[6nc")
		second := watch(t, session, protocol)
		second.expect("a\x00bc")
		if want := []string{"a", "\x00", "b", "c"}; !slices.Equal(second.messages, want) {
			t.Errorf("%s: the messages are %q, want %q", protocol, second.messages, want)
		}
		second.CloseNow()
		s.AwaitStderr("disconnect")
		release(t, wait)
		third := watch(t, session+"&wspipe_after=2", protocol)
		third.expect("bc\x1b]11;?\x1b\\d")
		fourth := watch(t, session, protocol)
		fourth.expect("a\x00bcd")
	}
}

// TestAwayTerminalIsAskedLater: by a program that has asked while no client was there.
func TestAwayTerminalIsAskedLater(t *testing.T) {
	t.Parallel()
	wait := newFIFO(t)
	s := wspipetest.Start(t, "--resume=1m", "--pty", "/bin/sh", "-c", `stty raw -echo; exec 3<>"$0"; printf 'a\033[cb'; read x <&3; printf '\033[6nc'; read x <&3`, wait)
	session := s.WS + "?wspipe_session=0123456789abcdef0123456789abcdef"
	first := watch(t, session, "")
	first.expect("a\x1b[cb")
	first.CloseNow()
	s.AwaitStderr("disconnect")
	release(t, wait)
	second := watch(t, session, "")
	second.expect("ab\x1b[6nc")
	watch(t, session, "").expect("abc")
}
