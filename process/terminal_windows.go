package process

import "os"

func openTerminal(Spec) (ptmx, tty *os.File, err error) { return nil, nil, ErrUnsupported }

func closeTerminal(f *os.File) error { return f.Close() }

func setSize(*os.File, WindowSize) error { return ErrUnsupported }

// foregroundGroup is not needed here: a job object has every process.
type foregroundGroup struct{}

func (foregroundGroup) record(*terminal) {}

// foreground is the group that Signal means.
func (c *Child) foreground() (g processSession, ok bool) { return c.session, true }
