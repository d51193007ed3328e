//go:build unix

package bridge

import (
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// What a child may write, and what it may not, tested without a child.

func TestMuxCommands(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]muxCommand{
		`{"to":"7","data":"hello"}`:                             {to: []string{"7"}, payload: []byte("hello")},
		`{"to":["7","9"],"data":""}`:                            {to: []string{"7", "9"}, payload: []byte{}},
		`{"to":[],"data":"x"}`:                                  {payload: []byte("x")},
		`{"to":"*","data":"x"}`:                                 {all: true, to: []string{"*"}, payload: []byte("x")},
		`{"to":["*"],"data":"x"}`:                               {to: []string{"*"}, payload: []byte("x")},
		`{"to":"7","base64":"/wA="}`:                            {to: []string{"7"}, payload: []byte("\xff\x00"), binary: true},
		` { "base64" : "" , "to" : "" }` + "\r":                 {to: []string{""}, payload: []byte{}, binary: true},
		`{"to":"7","data":"\ud83d\ude00\ud800\u0000","new":[]}`: {to: []string{"7"}, payload: []byte("😀\uFFFD\x00")},
		`{"to":"7","Data":1,"data":"x"}`:                        {to: []string{"7"}, payload: []byte("x")},
		`{"close":"7"}`:                                         {closeID: "7", end: End{Code: 1000, from: childClose}},
		`{"close":"*"}`:                                         {closeID: "*", end: End{Code: 1000, from: childClose}},
		`{"close":"7","code":3000}`:                             {closeID: "7", end: End{Code: 3000, from: childClose}},
		`{"close":"7","code":1014,"reason":""}`:                 {closeID: "7", end: End{Code: 1014, from: childClose}},
		`{"close":"7","code":4999,"reason":"` + strings.Repeat("é", 61) + `!","x":null}`: {
			closeID: "7", end: End{Code: 4999, Reason: strings.Repeat("é", 61) + "!", from: childClose}},
	} {
		if got, err := parseMuxCommand([]byte(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", line, got, err, want)
		}
	}
}

// badLines are invalid lines of each kind.
var badLines = map[error][]string{
	errNoObject: {
		``, `hello`, `"7"`, `7`, `[]`, `null`, `{"to":"7","data":"x"`, `{"to":"7","data":"x"}}`, `{"to":"7","data":"x"} {}`,
		`{"to":"7","data":"\x"}`, strings.Repeat("[", 20_000),
	},
	errNoCommand: {`{}`, `{"data":"x"}`, `{"To":"7","data":"x"}`, `{"CLOSE":"7"}`},
	errMixedCommand: {
		`{"to":"7","close":"7"}`, `{"close":"7","data":"x"}`, `{"close":"7","base64":""}`, `{"to":"7","data":"x","code":1}`,
		`{"to":"7","reason":"x"}`,
	},
	errTo: {
		`{"to":7,"data":"x"}`, `{"to":null,"data":"x"}`, `{"to":{},"data":"x"}`, `{"to":["7",8],"data":"x"}`,
		`{"to":["7",null],"data":"x"}`, `{"to":[["7"]],"data":"x"}`,
	},
	errNoPayload: {`{"to":"7"}`, `{"to":"7","Data":"x"}`, `{"to":"7","data":"","base64":""}`},
	errData:      {`{"to":"7","data":1}`, `{"to":"7","data":null}`, `{"to":"7","data":["x"]}`},
	errBase64:    {`{"to":"7","base64":null}`, `{"to":"7","base64":"x"}`, `{"to":"7","base64":"/wA"}`, `{"to":"7","base64":"_wA="}`},
	errClose:     {`{"close":7}`, `{"close":""}`, `{"close":["7"]}`, `{"close":null}`},
	errCode: {
		`{"close":"7","code":"1000"}`, `{"close":"7","code":1000.5}`, `{"close":"7","code":null}`, `{"close":"7","code":-1000}`,
		`{"close":"7","code":1e99}`, `{"close":"7","code":0}`, `{"close":"7","code":999}`, `{"close":"7","code":1004}`,
		`{"close":"7","code":1005}`, `{"close":"7","code":1006}`, `{"close":"7","code":1015}`, `{"close":"7","code":1016}`,
		`{"close":"7","code":2999}`, `{"close":"7","code":5000}`,
	},
	errReason: {`{"close":"7","reason":1}`, `{"close":"7","reason":null}`, `{"close":"7","reason":"` + strings.Repeat("x", 124) + `"}`},
}

func TestInvalidMuxLines(t *testing.T) {
	t.Parallel()
	for want, lines := range badLines {
		for _, line := range lines {
			if got, err := parseMuxCommand([]byte(line)); err != want {
				t.Errorf("%.100s: got %+v, %v, want %v", line, got, err, want)
			}
		}
	}
}

// TestMuxLinesChunking: however the lines are chunked, those that are too long are dropped,
// and the others are handled.
func TestMuxLinesChunking(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxMuxLine)
	for name, test := range map[string]struct {
		output string
		want   []string
		bad    string // of the log
	}{
		"last without newline": {"a\n\nb", []string{"a", "", "b"}, ""},
		"nothing":              {"", nil, ""},
		"as long as may be":    {"a\n" + long + "\nb\n", []string{"a", long, "b"}, ""},
		"one byte more":        {"a\n" + long + "y\nb\n", []string{"a", "b"}, `"cause":"line over 4194304 bytes","position":2,"length":4194305`},
		"much more":            {long + long + long, nil, `"cause":"line over 4194304 bytes","position":0,"length":12582912`},
	} {
		for _, size := range []int{1, 7, 1 << 10, 100_000, 1 << 30} {
			if size < 1<<10 && len(test.output) > 1000 {
				continue
			}
			var got []string
			var log strings.Builder
			l := muxLines{do: func(line []byte) error { got = append(got, string(line)); return nil }, log: invalidLineLog{log: jsonLog(&log)}}
			for chunk := range slices.Chunk([]byte(test.output), size) {
				l.write(chunk)
			}
			l.end()
			if !slices.Equal(got, test.want) || !strings.Contains(log.String(), test.bad) || (log.Len() > 0) != (test.bad != "") {
				t.Errorf("%s, cut every %d bytes: %d lines, logged %q", name, size, len(got), log.String())
			}
		}
	}
}

// TestInvalidLinesAreLoggedSparingly: a few records count any number of invalid lines, and do
// not contain their text.
func TestInvalidLinesAreLoggedSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		l := muxLines{do: func([]byte) error { return errNoObject }, log: invalidLineLog{log: slog.New(slog.NewTextHandler(&log, nil)), pid: 5}}
		for i := range 3000 {
			if i == 1000 || i == 2000 {
				time.Sleep(invalidLineInterval)
			}
			l.write([]byte("secret\n"))
		}
		l.end()
		for what, n := range map[string]int{`msg="invalid line from child dropped" pid=5 cause="not a JSON object"`: 3,
			`msg="further invalid lines from child dropped" pid=5 count=999`: 3, "position=7000 length=6": 1, "\n": 6, "secret": 0} {
			if got := strings.Count(log.String(), what); got != n {
				t.Errorf("%d times %q, want %d:\n%s", got, what, n, &log)
			}
		}
	})
}

// TestEventsAreJSON, whatever clients send.
func TestEventsAreJSON(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"", "plain", "\"\\/\b\n\r\t\x00\x1f\x7f", "é☃😀\u2028", "\xff\x00", "a\xc3", "\xed\xa0\x80"} {
		line := appendMessage(nil, "12", []byte(message))
		var e struct {
			Event, Client string
			Data          *string
			Base64        []byte
		}
		if err := json.Unmarshal(line, &e); err != nil || e.Event != "message" || e.Client != "12" || line[len(line)-1] != '\n' || strings.Count(string(line), "\n") != 1 {
			t.Errorf("%q: %q, %v", message, line, err)
		}
		isText := utf8.ValidString(message)
		if isText != (e.Data != nil) || isText && *e.Data != message || !isText && string(e.Base64) != message {
			t.Errorf("%q became %q", message, line)
		}
	}
	open := appendOpen(nil, "1", []string{"A=b=c", "HTTP_X=\"\xff\\\x01", "EMPTY="})
	var e struct{ Env map[string]string }
	if err := json.Unmarshal(open, &e); err != nil || !reflect.DeepEqual(e.Env, map[string]string{"A": "b=c", "HTTP_X": "\"\uFFFD\\\x01", "EMPTY": ""}) {
		t.Errorf("%q: %v, %v", open, e, err)
	}
	if got := string(appendOpen(nil, "1", nil)) + string(appendClose(nil, "1", 1006)); got !=
		`{"event":"open","client":"1","env":{}}`+"\n"+`{"event":"close","client":"1","code":1006}`+"\n" {
		t.Errorf("%q", got)
	}
}

// FuzzMuxLine: whatever a child writes, only valid messages and close frames result.
func FuzzMuxLine(f *testing.F) {
	f.Add([]byte(`{"to":"7","data":"hello"}`))
	f.Add([]byte(`{"to":["7","9"],"base64":"/wA="}`))
	f.Add([]byte(`{"close":"7","code":3000,"reason":"bye"}` + "\n" + `{"to":"*","data":"\ud800"}`))
	f.Add([]byte("{\"to\":\"7\",\"data\":\"\xff\"}\n"))
	for _, lines := range badLines {
		f.Add([]byte(strings.Join(lines, "\n")))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		do := func(line []byte) error {
			c, err := parseMuxCommand(line)
			switch {
			case err != nil:
			case c.closeID != "" && (c.end.Reason != cutReason(c.end.Reason) || !maySend(c.end.Code)):
				t.Errorf("close with %+v", c.end)
			case c.closeID == "" && !c.binary && !utf8.Valid(c.payload):
				t.Errorf("text %q", c.payload)
			}
			return err
		}
		l := muxLines{do: do, log: invalidLineLog{log: slog.New(slog.DiscardHandler)}}
		l.write(output)
		l.end()
	})
}
