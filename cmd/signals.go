package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// handleSignals handles signals until stop is called. The first SIGINT or SIGTERM cancels ctx; the
// second sends the exit status to interrupted. SIGHUP requests a reload, unless the terminal in
// which wspipe was started has been closed: then it acts like SIGTERM.
func handleSignals(parent context.Context, interrupted chan<- int) (ctx context.Context, reload <-chan struct{}, stop func()) {
	h := &signalHandler{interrupted: interrupted, reload: make(chan struct{}, 1), received: make(chan os.Signal, 2)}
	ctx, h.cancel = context.WithCancelCause(parent)
	h.inTerminal = hasTerminal() // before a signal that reports its loss
	signal.Notify(h.received, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signal.Notify(h.received, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() { // ends when stop closes h.received
		defer close(done)
		for sig := range h.received {
			h.handle(sig)
		}
	}()
	return ctx, h.reload, func() {
		signal.Stop(h.received)
		close(h.received)
		<-done
		h.cancel(nil)
	}
}

type signalHandler struct {
	inTerminal  bool
	stopping    bool
	cancel      context.CancelCauseFunc
	interrupted chan<- int
	reload      chan struct{}
	received    chan os.Signal
}

func (h *signalHandler) handle(sig os.Signal) {
	switch {
	case sig == syscall.SIGHUP && !(h.inTerminal && !hasTerminal()):
		select {
		case h.reload <- struct{}{}:
		default: // a reload is pending
		}
	case !h.stopping:
		h.stopping = true
		h.cancel(fmt.Errorf("%v signal received", sig))
	case sig != syscall.SIGHUP: // a closed terminal may send it twice
		select {
		case h.interrupted <- 128 + int(sig.(syscall.Signal)):
		default:
		}
	}
}

// hasTerminal reports whether the process has a controlling terminal (tty(4)).
func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	tty.Close()
	return true
}
