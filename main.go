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
	signals := make(chan os.Signal, 2)
	if signal.Notify(signals, os.Interrupt, syscall.SIGTERM); !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() { // ends with the process
		cancel(fmt.Errorf("%v signal received", <-signals))
		os.Exit(128 + int((<-signals).(syscall.Signal))) // a second one ends at once
	}()
	os.Exit(cmd.Main(ctx, os.Args, os.Stdout, os.Stderr, license))
}
