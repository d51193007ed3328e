package recording

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"time"
)

// Player replays a recording.
type Player struct {
	// Stdout and Stderr get the output.
	Stdout, Stderr io.Writer
	// Speed is how many times faster than recorded it is; zero means 1.
	Speed float64
	// MaxIdle bounds each pause, as recorded; zero is no bound.
	MaxIdle time.Duration
}

// LineError is an error in a line of a recording.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the error.
func (e *LineError) Unwrap() error { return e.Err }

var (
	errNoHeader = errors.New("not the header of an asciicast v2 recording")
	errNoEvent  = errors.New(`not an event, [TIME, "CODE", "DATA"]`)
)

// Replay writes the output in file with its timing. exit is the last marker that says how the
// child ended, "exit 3" or "signal TERM"; it is empty if there is none, or the recording is not
// of wspipe. Replay fails with a *LineError at the first damaged line, after what comes before
// it, and with the error of a write.
func (p *Player) Replay(ctx context.Context, file io.Reader) (exit string, err error) {
	lines := bufio.NewReader(file)
	var header Header
	text, err := lines.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	if json.Unmarshal(text, &header) != nil || header.Version != 2 {
		return "", &LineError{1, errNoHeader}
	}
	var position float64
	begun := time.Now()
	played := time.Duration(0)
	for number := 2; ; number++ {
		text, err := lines.ReadBytes('\n')
		if err == io.EOF && len(text) == 0 {
			return exit, nil
		}
		if err != nil && err != io.EOF {
			return exit, err
		}
		e, ok := parseEvent(text)
		if !ok {
			return exit, &LineError{number, errNoEvent}
		}
		if e.code == "m" && header.Session != nil && exitMarker.MatchString(e.data) {
			exit = e.data
		}
		played += p.pause(e.time - position)
		position = max(position, e.time)
		if err := sleepUntil(ctx, begun.Add(played)); err != nil {
			return exit, err
		}
		if err := p.write(e); err != nil {
			return exit, err
		}
	}
}

// castEvent is an event of a file.
type castEvent struct {
	time       float64
	code, data string
}

// parseEvent parses a line.
func parseEvent(line []byte) (e castEvent, ok bool) {
	var fields []json.RawMessage
	if json.Unmarshal(line, &fields) != nil || len(fields) != 3 ||
		json.Unmarshal(fields[0], &e.time) != nil || json.Unmarshal(fields[1], &e.code) != nil {
		return e, false
	}
	if known := e.code == "o" || e.code == "e" || e.code == "m"; !known { // whose data may be anything
		return e, true
	}
	return e, json.Unmarshal(fields[2], &e.data) == nil
}

// exitMarker matches the marker that says how the child has ended.
var exitMarker = regexp.MustCompile(`^(exit \d+|signal \S+)$`)

// pause returns how long to wait for a pause of so many seconds.
func (p *Player) pause(seconds float64) time.Duration {
	if p.MaxIdle > 0 {
		seconds = min(seconds, p.MaxIdle.Seconds())
	}
	if p.Speed > 0 {
		seconds /= p.Speed
	}
	const most = math.MaxInt32 // seconds: 68 years
	return time.Duration(min(max(0, seconds), most) * float64(time.Second))
}

// sleepUntil waits until t, or until ctx is done.
func sleepUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Player) write(e castEvent) (err error) {
	switch e.code {
	case "o":
		_, err = io.WriteString(p.Stdout, e.data)
	case "e":
		_, err = io.WriteString(p.Stderr, e.data)
	}
	return err
}
