// Command wspipe serves programs that read stdin and write stdout as WebSockets.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"wspipe/cmd"
)

//go:embed LICENSE
var license string

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	reload := make(chan struct{}, 1)
	if !cmd.IsConnect(os.Args) { // which has its own way with signals
		inTerminal := hasTerminal() // before a signal can tell that it has gone
		signals := make(chan os.Signal, 2)
		if signal.Notify(signals, os.Interrupt, syscall.SIGTERM); !signal.Ignored(syscall.SIGHUP) { // as under nohup
			signal.Notify(signals, syscall.SIGHUP)
		}
		go obey(signals, inTerminal, cancel, reload) // ends with the process
	}
	os.Exit(cmd.Main(ctx, reload, os.Args, os.Stdout, os.Stderr, license))
}

// obey stops wspipe at the first signal and ends it at once at the second.
// SIGHUP is a wish to reload, unless it tells that the terminal has gone in which we
// were started.
func obey(signals <-chan os.Signal, inTerminal bool, stop context.CancelCauseFunc, reload chan<- struct{}) {
	stopping := false
	for sig := range signals {
		switch {
		case sig == syscall.SIGHUP && !(inTerminal && !hasTerminal()):
			select {
			case reload <- struct{}{}:
			default: // one is due anyway
			}
		case !stopping:
			stopping = true
			stop(fmt.Errorf("%v signal received", sig))
		case sig != syscall.SIGHUP: // the end of a terminal may come twice
			os.Exit(128 + int(sig.(syscall.Signal)))
		}
	}
}

// hasTerminal reports whether there is a terminal that controls us, tty(4).
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	tty.Close()
	return true
}
