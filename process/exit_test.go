//go:build unix

package process

import "testing"

func TestExit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script string
		code   int
		signal string
	}{
		{"exit 0", 0, ""},
		{"exit 3", 3, ""},
		{"exit 255", 255, ""},
		{"exit 143", 143, ""}, // not a signal, although a shell reports SIGTERM so
		{"kill -TERM $$", 143, "TERM"},
		{"kill -KILL $$", 137, "KILL"},
		{"kill -ABRT $$", 134, "ABRT"},
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			c := start(t, sh(tt.script))
			<-c.Exited()
			wantExit(t, c, tt.code, tt.signal)
			c.Stop()
			wantExit(t, c, tt.code, tt.signal) // Exit can be called again
		})
	}
}

func TestExitedStaysOpenWhileChildRuns(t *testing.T) {
	t.Parallel()
	c := start(t, helper("echo"))
	if c.hasExited() {
		t.Error("Exited is closed before the end")
	}
	c.Stdin().Close()
	<-c.Exited()
	wantExit(t, c, 0, "")
}

// The status is that of the leader, not that of a process that ends before or after it.
func TestExitIsTheLeaders(t *testing.T) {
	t.Parallel()
	c := start(t, sh("(exit 5) & (read x <&3; exit 6) 3<&0 & sleep 0; exit 7"))
	wantExit(t, c, 7, "")
}
