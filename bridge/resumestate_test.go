//go:build unix

package bridge

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var stateNames = map[resumeState]string{attached: "attached", detached: "detached", ending: "ending", kept: "kept", ended: "ended"}

var eventNames = map[resumeEvent]string{attaches: "attach", losesConnection: "lose", disconnects: "leave", exits: "exit", acknowledges: "acknowledge", expires: "expire", ends: "stop"}

// documentedStates reads the table of docs/sessions.md.
func documentedStates(t *testing.T) map[resumeState]map[resumeEvent]resumeState {
	t.Helper()
	text, err := os.ReadFile("../docs/sessions.md")
	if err != nil {
		t.Fatal(err)
	}
	stateOf, eventOf := map[string]resumeState{"": unchanged}, map[string]resumeEvent{}
	for s, name := range stateNames {
		stateOf[name] = s
	}
	for e, name := range eventNames {
		eventOf[name] = e
	}
	_, table, _ := strings.Cut(string(text), "| state |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	events := cells(rows[0])
	states := map[resumeState]map[resumeEvent]resumeState{}
	for _, row := range rows[2:] {
		fields := cells(row)[1:]
		from, ok := stateOf[fields[0]]
		if !ok || len(fields) != len(events)+1 {
			t.Fatalf("row %q", row)
		}
		states[from] = map[resumeEvent]resumeState{}
		for i, name := range fields[1:] {
			event, ok1 := eventOf[events[i]]
			to, ok2 := stateOf[name]
			if !ok1 || !ok2 {
				t.Fatalf("row %q: event %q, state %q", row, events[i], name)
			}
			if to != unchanged {
				states[from][event] = to
			}
		}
	}
	return states
}

var cell = regexp.MustCompile(` *\|`)

func cells(row string) (fields []string) {
	for _, f := range cell.Split(strings.TrimSuffix(row, "|"), -1) {
		fields = append(fields, strings.TrimSpace(f))
	}
	return fields
}

func TestStatesAreAsDocumented(t *testing.T) {
	t.Parallel()
	documented := documentedStates(t)
	if len(documented) != len(stateNames) {
		t.Errorf("%d states are documented, want %d", len(documented), len(stateNames))
	}
	for s, name := range stateNames {
		if !maps.Equal(documented[s], resumeStates[s]) {
			t.Errorf("%s: documented %v, implemented %v", name, documented[s], resumeStates[s])
		}
	}
}

// reach returns s and the states that are reachable from it.
func reach(s resumeState, without ...resumeEvent) map[resumeState]bool {
	seen := map[resumeState]bool{s: true}
	for todo := []resumeState{s}; len(todo) > 0; todo = todo[1:] {
		for e, to := range resumeStates[todo[0]] {
			if !seen[to] && !slices.Contains(without, e) {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

// The required properties of the states hold in every sequence of events.
func TestResumeStateProperties(t *testing.T) {
	t.Parallel()
	if got := len(reach(detached)); got != len(stateNames) { // the initial state
		t.Errorf("%d states are reachable, want %d", got, len(stateNames))
	}
	if len(resumeStates[ended]) > 0 {
		t.Error("ended is not final")
	}
	for s, name := range stateNames {
		if s == ended {
			continue
		}
		if resumeStates[s][ends] != ended {
			t.Errorf("%s: the server cannot end it", name)
		}
		if s.waits() != (resumeStates[s][expires] == ended) {
			t.Errorf("%s: exactly the states that wait for a client must expire", name)
		}
		if to := resumeStates[s][attaches]; to.waits() || to == unchanged || to == ended {
			t.Errorf("%s: a client that attaches gets %s", name, stateNames[to])
		}
		if reach(s, disconnects, acknowledges, expires, ends)[ended] {
			t.Errorf("%s: ends though the client may attach again", name)
		}
	}
	for _, s := range []resumeState{ending, kept} {
		if r := reach(s); r[attached] || r[detached] {
			t.Errorf("%s: the child runs again", stateNames[s])
		}
	}
}
