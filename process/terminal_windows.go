package process

import "os"

func openTerminal(Spec) (ptmx, tty *os.File, err error) { return nil, nil, ErrUnsupported }

func closeTerminal(f *os.File) error { return f.Close() }

func setSize(*os.File, WindowSize) error { return ErrUnsupported }

// foregroundGroup is unused on Windows, where a job object has every process.
type foregroundGroup struct{}

func (foregroundGroup) record(*terminal) {}

// signalForeground sends sig to the child's process session.
func (c *Child) signalForeground(sig stopSignal) error { return c.session.signal(sig) }
