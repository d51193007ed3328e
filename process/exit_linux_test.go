package process

import "testing"

func TestExitByRealTimeSignal(t *testing.T) {
	t.Parallel()
	wantExit(t, start(t, sh("kill -40 $$")), 168, "40")
}

// Most other numbers differ between systems.
func TestSignalNames(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{1: "HUP", 2: "INT", 9: "KILL", 15: "TERM", 19: "STOP", 31: "SYS", 34: "34"} {
		if got := signalName(stopSignal(number)); got != want {
			t.Errorf("signal %d is %q, want %q", number, got, want)
		}
	}
}
