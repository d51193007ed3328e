//go:build unix

package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"wspipe/bridge/framing"
)

// loggedAs returns the records with this message.
func loggedAs(t testing.TB, log *bytes.Buffer, message string) (records []map[string]any) {
	t.Helper()
	for d := json.NewDecoder(log); ; {
		var r map[string]any
		if err := d.Decode(&r); err == io.EOF {
			return records
		} else if err != nil {
			t.Fatal(err)
		}
		if r["msg"] == message {
			records = append(records, r)
		}
	}
}

// If a child breaks its framing, the client gets the messages before that and the reason, the
// log also gets the position, and the child is stopped.
func TestBrokenFramingEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, test := range brokenOutputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			child := newPuppet(t)
			s := start(t, child, Options{Framing: test.framing, Log: slog.New(slog.NewJSONHandler(&log, nil))})
			go func() { // ends when it is read
				io.WriteString(child.far[1], test.output)
				if strings.HasPrefix(test.wrong, "truncated ") {
					child.exit(0, "") // otherwise the child runs until it is stopped
				}
			}()
			for _, want := range test.want {
				if _, got, _ := s.message(); got != want {
					t.Errorf("message %.100q, want %.100q", got, want)
				}
			}
			s.expectClose(1011, "bad "+test.framing.String()+" output: "+test.wrong)
			if sum := s.summary(); sum.Code != 1011 || sum.Out.Messages != int64(len(test.want)) {
				t.Errorf("summary %+v", sum)
			}
			records := loggedAs(t, &log, "child breaks its framing")
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			r := records[0]
			if r["level"] != "ERROR" || r["framing"] != test.framing.String() || r["cause"] != test.wrong || r["pid"] != 1.0 || r["position"] != float64(test.position) {
				t.Errorf("logged %v", r)
			}
		})
	}
}

// A child that keeps writing is not blocked, and the client gets nothing more from it, even
// if a long message has begun.
func TestBrokenFramingThenMoreOutput(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		for name, before := range map[string]string{"short": "", "long": encoded(framing.Length, strings.Repeat("x", 1<<20))} {
			t.Run(fmt.Sprint(name, "/", compress), func(t *testing.T) {
				t.Parallel()
				child := newPuppet(t)
				child.reader = true // keeps running after Stop
				s := startOver(t, link{compress: compress}, child, Options{Framing: framing.LSP})
				go func() { // ends when it is read
					io.WriteString(child.far[1], encoded(framing.LSP, before)+"wrong\n")
					for range 100 {
						io.WriteString(child.far[1], encoded(framing.LSP, strings.Repeat("x", 50_000)))
					}
					child.exit(3, "")
				}()
				if _, got, _ := s.message(); !compress && got != validText(before) {
					t.Errorf("message of %d bytes", len(got))
				}
				s.expectClose(1011, "bad lsp output: header line without a colon")
				if sum := s.summary(); sum.ExitCode != 3 || sum.Out.Messages != 1 {
					t.Errorf("summary %+v", sum)
				}
			})
		}
	}
}

// An incomplete record is no broken framing if we have stopped the child.
func TestIncompleteRecordAfterStop(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*session){
		"shutdown":          func(s *session) { s.Client.Shutdown(); s.expectClose(1001, "server shutting down") },
		"client closes":     func(s *session) { s.write(closeFrame(1000, "")) },
		"client goes":       func(s *session) { s.client.Close() },
		"client's bad text": func(s *session) { s.send("\xff"); s.expectClose(1007, "text is not UTF-8") },
	} {
		for _, output := range []string{"Content-Length: 5\r\n\r\nabc", "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 200_000), "Content-Len"} {
			t.Run(fmt.Sprint(name, "/", len(output)), func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				child := newPuppet(t)
				s := start(t, child, Options{Framing: framing.LSP, Log: slog.New(slog.NewJSONHandler(&log, nil))})
				child.print(t, encoded(framing.LSP, "first")+output)
				s.expect("first")
				end(s)
				s.summary()
				if records := loggedAs(t, &log, "child breaks its framing"); len(records) > 0 {
					t.Errorf("logged %v", records)
				}
			})
		}
	}
}
