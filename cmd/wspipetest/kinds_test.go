//go:build unix

package wspipetest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// This file and kindlife_test.go have the table of what holds for every kind of child and every kind
// of client, with the real binary:
//
//	TestKinds            order, completeness, last line, long lines, UTF-8, input, exit status, silence,
//	                     stderr, limits of time, failure to start; and the record of each in the log
//	TestKindsDisconnect  the stop sequence, whatever the child ignores; the slot is free
//	TestKindsShutdown    1001 for each client, no process left
//	TestKindsRefuse      origin, path, limits: nothing starts
//	TestKindsTooLong     messages over --maxframesize
//	TestKindsEvents      an event stream begins at once
//	TestKindsPost        202 means that the child has the message
//	TestKindsSlow        clients that do not read: the child waits, or --slow
//
// What is special to one kind has tests beside the code.

// childKinds are the flags of each kind. The child of a mux runs muxed.
var childKinds = map[string]string{
	"plain": "", "pty": "--pty", "line-buffered": "--line-buffered", "resume": "--resume=1m",
	"broadcast": "--share=broadcast", "mux": "--share=mux",
}

// muxed is a program for --share=mux that runs the script $1: what clients send is its input, and
// all of them get its output. A POST is answered once the script has its message.
const muxed = `export LC_ALL=C; exec 3>&1; IFS= read -r e
messages() {
	while IFS= read -r e; do
		id=${e#*'"client":"'}; id=${id%%\"*}
		case $e in
		*'"REQUEST_METHOD":"POST"'*) posts="$posts $id ";;
		*'"event":"message"'*)
			data=${e##*'"data":"'}; printf '%s\n' "${data%'"}'}"
			case $posts in *" $id "*) echo "{\"close\":\"$id\"}" >&3;; esac
		esac
	done
}
{ exec 4< <(messages); sh -c "$1" <&4 3>&- 4>&-; status=$?; kill $!; exit $status; } |
	stdbuf -oL sed 's/\r$//; s/\\/\\\\/g; s/"/\\"/g; s/.*/{"to":"*","data":"&"}/' 3>&-
status=${PIPESTATUS[0]}; [ $status -gt 128 ] && kill -$((status - 128)) $$; exit $status`

// kindRow is a script, and what each client exchanges with it.
type kindRow struct {
	name, flags, script string
	send                []string // after the script is ready
	want                []string // lines
	bytes               []string // lines of clients that get bytes, if they differ
	end                 string   // code and reason
	http                string   // status and exit of a plain response, if not 200 and the reason
	not                 string   // kinds of child for which the row does not hold, and why
}

var kindRows = []kindRow{
	{name: "order", script: `seq 5000`, want: numbers(5000)},
	{name: "last line", script: `printf 'a\nlast'`, want: []string{"a", "last"}},
	{name: "long line", script: `head -c 300000 /dev/zero | tr '\0' x`, want: []string{strings.Repeat("x", 300_000)}},
	{name: "empty lines", script: `printf '\n\nx\n\n'`, want: []string{"", "", "x", ""}},
	{name: "CR LF", script: `printf 'a\r\nb\r\n'`, want: []string{"a", "b"}, bytes: []string{"a\r", "b\r"}},
	{name: "not UTF-8", script: `printf 'a\377b\n'`, want: []string{"a\uFFFDb"}, bytes: []string{"a\xffb"}},
	{name: "records", flags: "--framing=nul", script: `printf 'a\0b'`, want: []string{"a", "b"}, bytes: []string{"a\x00b"}, not: "pty and mux, which have no framing"},
	{name: "stdout closed", script: `echo a; exec >&-; exit 4`, want: []string{"a"}, end: "1000 exit 4"},
	{name: "input", script: `while IFS= read -r l && [ "$l" != end ]; do echo "<$l>"; done`, send: []string{"a", "", " ä ", "end"}, want: []string{"<a>", "<>", "< ä >"}},
	{name: "long input", script: `head -n 1 | wc -c | tr -d ' '`, send: []string{strings.Repeat("x", 70_000)}, want: []string{"70001"}, not: "pty, whose lines are limited by the kernel"},
	{name: "input is not read", script: `exec <&-; echo a; exit 5`, want: []string{"a"}, end: "1000 exit 5"},
	{name: "exit 3", script: `echo a; exit 3`, want: []string{"a"}, end: "1000 exit 3"},
	{name: "exit 3 at once", script: `exit 3`, end: "1000 exit 3", http: "500 exit 3"},
	{name: "signal", script: `kill -TERM $$`, end: "1000 signal TERM", http: "500 signal TERM"},
	{name: "exit close code", flags: "--exit-close-code", script: `echo a; exit 3`, want: []string{"a"}, end: "4003 exit 3"},
	{name: "no output", script: `exit 0`},
	{name: "stderr", script: `echo a; echo complaint >&2`, want: []string{"a"}, not: "pty, where stderr is output"},
	{name: "json", flags: "--framing=json", script: `echo complaint >&2`, want: []string{`{"stream":"stderr","data":"complaint"}`}, bytes: []string{}, not: "pty and mux, which have no framing"},
	{name: "descendant", script: `echo a; sleep 1000 & exit 4`, want: []string{"a"}, end: "1000 exit 4", not: "mux, whose script shares stdout with muxed"},
	{name: "cannot start", end: "1011 cannot start: no such file", http: "500 cannot start: no such file"},
	{name: "max runtime", flags: "--max-runtime=100ms", script: `exec sleep 1000`, end: "4001 max runtime", http: "503 max runtime"},
	{name: "idle timeout", flags: "--idle-timeout=100ms", script: `exec sleep 1000`, end: "4002 idle timeout", http: "503 idle timeout"},
}

func numbers(n int) (lines []string) {
	for i := range n {
		lines = append(lines, strconv.Itoa(i+1))
	}
	return lines
}

// kindCell is a client of a child.
type kindCell struct{ child, client string }

// path returns the path of the route of a row that the cell has for itself.
func (k kindCell) path(row string) string {
	return "/" + strings.ReplaceAll(row, " ", "-") + "/" + k.child + "/" + k.client
}

// forKinds calls f for each kind of child and of client, except those whose child is named in not.
func forKinds(not string, f func(k kindCell)) {
	for child := range childKinds {
		for _, client := range clientKinds {
			isHTTP := client == "http" || client == "events"
			if !regexp.MustCompile(`\b`+child+`\b`).MatchString(not) && !(isHTTP && child == "pty") {
				f(kindCell{child, client})
			}
		}
	}
}

// getsBytes reports whether the client gets what the child writes, instead of messages.
func (k kindCell) getsBytes() bool {
	return k.child == "pty" || k.child != "mux" && (k.client == channel.ProtocolWspipe || k.client == channel.ProtocolV5)
}

// route returns the route of a row, for a child that runs script.
func (k kindCell) route(row, flags, script string) string {
	command := "sh -c"
	switch k.child {
	case "mux":
		command = "bash MUXED"
	case "pty":
		script = "stty -echo -onlcr; " + script
	}
	return fmt.Sprintf("%s %s %s -- %s '%s'\n", k.path(row), childKinds[k.child], flags, command, strings.ReplaceAll(script, "'", `'\''`))
}

// startKinds starts a server of routes, with --http.
func startKinds(t *testing.T, routes string, flags ...string) *wspipetest.Server {
	t.Helper()
	program := filepath.Join(t.TempDir(), "muxed")
	if err := os.WriteFile(program, []byte(muxed), 0o600); err != nil {
		t.Fatal(err)
	}
	return startRouted(t, strings.ReplaceAll(routes, "MUXED", program), append([]string{"--http"}, flags...)...).Server
}

// TestKinds runs kindRows.
func TestKinds(t *testing.T) {
	t.Parallel()
	wspipetest.Need(t, "bash")
	missing := filepath.Join(t.TempDir(), "program")
	wspipetest.WriteMode(t, missing, "#!/bin/sh\n", 0o700)
	var routes strings.Builder
	for _, row := range kindRows {
		forKinds(row.not, func(k kindCell) {
			switch {
			case row.name == "cannot start":
				fmt.Fprintf(&routes, "%s %s -- %s\n", k.path(row.name), childKinds[k.child], missing)
			case row.send != nil:
				routes.WriteString(k.route(row.name, row.flags, "echo ready; "+row.script))
			default:
				routes.WriteString(k.route(row.name, row.flags, row.script))
			}
		})
	}
	s := startKinds(t, routes.String())
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	records := &kindRecords{want: make(map[string]string)}
	inParallel(t, func(cell func(name string, f func(t *testing.T))) {
		for _, row := range kindRows {
			forKinds(row.not, func(k kindCell) {
				cell(k.path(row.name), func(t *testing.T) { row.exchange(t, s, k, records) })
			})
		}
	})
	records.await(s)
	s.AwaitStderrFunc("each line of stderr", func(log string) bool { return strings.Count(log, "line=complaint\n") == records.complaints })
}

// inParallel runs the subtests that f adds, sixteen at a time, as most of them wait.
func inParallel(t *testing.T, f func(cell func(name string, f func(t *testing.T)))) {
	var cells sync.WaitGroup
	running := make(chan struct{}, 16)
	f(func(name string, f func(t *testing.T)) {
		running <- struct{}{}
		cells.Go(func() { // ends with its subtest
			defer func() { <-running }()
			t.Run(name[1:], f)
		})
	})
	cells.Wait()
}

// kindRecords are the disconnect records that the log must have.
type kindRecords struct {
	mu         sync.Mutex
	want       map[string]string // by the client's address
	complaints int               // lines of stderr
}

// add expects a record of c with these attributes.
func (r *kindRecords) add(c *kindClient, attributes string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want[c.local.String()] = attributes
	if strings.Contains(c.url, "/stderr/") || strings.Contains(c.url, "/json/") {
		r.complaints++
	}
}

var disconnectRecord = regexp.MustCompile(`(?m)^.* msg=disconnect session=\S+ remote=(\S+) (.*)$`)

// await waits for the records.
func (r *kindRecords) await(s *wspipetest.Server) {
	s.AwaitStderrFunc("the disconnects of all clients", func(log string) bool {
		found := make(map[string]string)
		for _, m := range disconnectRecord.FindAllStringSubmatch(log, -1) {
			found[m[1]] = m[2]
		}
		for remote, want := range r.want {
			if !strings.Contains(found[remote], want) {
				return false
			}
		}
		return true
	})
}

// exchange sends and receives what the row has.
func (row kindRow) exchange(t *testing.T, s *wspipetest.Server, k kindCell, records *kindRecords) {
	c := newKindClient(t, s, k.client, k.child, k.path(row.name))
	if status := c.connect(row.send != nil); c.name == "events" && status != http.StatusOK {
		t.Errorf("an event stream begins with status %d", status)
	}
	if row.send != nil {
		if got := c.next(); got != "ready" {
			t.Fatalf("got %q", got)
		}
		for _, message := range row.send {
			c.send(message)
		}
	}
	want, wantEnd := row.want, row.end
	if row.bytes != nil && k.getsBytes() {
		want = row.bytes
	}
	if wantEnd == "" {
		wantEnd = "1000 exit 0"
	}
	code, reason, _ := strings.Cut(wantEnd, " ")
	if code != "1011" { // a child that does not start has no clients
		records.add(c, fmt.Sprintf("code=%s reason=%q %s", code, reason, strings.ReplaceAll(exitOf(reason), " ", "=")))
	}
	if k.client == "http" {
		wantEnd = "200 " + reason
		if row.http != "" {
			wantEnd = row.http
		}
	}
	got, end := c.rest()
	if stderr := c.side[channel.Stderr]; strings.Contains(row.script, "complaint") && c.opt.Subprotocols != nil && k.child != "mux" && stderr != "complaint\n" {
		t.Errorf("stderr %q", stderr)
	}
	if !slices.Equal(got, want) || end != wantEnd {
		t.Errorf("got %d lines %.100q, %q; want %d lines %.100q, %q", len(got), got, end, len(want), want, wantEnd)
	}
}

// exitOf returns a reason that is the exit of a child.
func exitOf(reason string) string {
	if strings.HasPrefix(reason, "exit ") || strings.HasPrefix(reason, "signal ") {
		return reason
	}
	return ""
}
