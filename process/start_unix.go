//go:build unix && !linux

package process

import "os"

// onStarter runs f here: only Linux has a parent-death signal.
func onStarter(f func()) { f() }

func startWatched(path string, argv []string, attr *os.ProcAttr) (*os.Process, func() Exit, error) {
	p, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return nil, nil, err
	}
	return p, func() Exit {
		state, _ := p.Wait()
		return exitOf(state)
	}, nil
}
