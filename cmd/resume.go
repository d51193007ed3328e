package cmd

import (
	"errors"
	"fmt"
	"time"

	"wspipe/bridge/framing"
	"wspipe/server"
)

// resumeOptions are the flags of sessions that survive their connection.
type resumeOptions struct {
	grace  time.Duration
	buffer int64
}

// The bounds of --resume-buffer, in bytes: a message must fit in, and a machine
// has to have that for each session.
const (
	defaultResumeBuffer = 1 << 20
	minResumeBuffer     = 64 << 10
	maxResumeBuffer     = 1 << 30
)

func (o *options) addResume(f *flagSet) {
	f.group = "Sessions that survive"
	f.value("resume", "DUR", "0", "how long COMMAND waits for a client that lost its connection", set(&o.resumeOptions.grace, duration))
	f.value("resume-buffer", "SIZE", fmt.Sprintf("%dMiB", defaultResumeBuffer>>20), "how much is held for such a client", set(&o.resumeOptions.buffer, resumeBuffer))
}

// fillResume says in cfg which sessions survive.
func (o *options) fillResume(cfg *server.Config) {
	cfg.Resume, cfg.ResumeBuffer = o.resumeOptions.grace, int(o.resumeOptions.buffer)
}

// resumeConflicts joins what is wrong with the flags of sessions together.
func (o *options) resumeConflicts() error {
	if o.resumeOptions.grace == 0 {
		if o.resumeOptions.buffer != defaultResumeBuffer {
			return hint(errors.New("--resume-buffer means nothing without --resume"), "add --resume=1m")
		}
		return nil
	}
	var problems []error
	if o.share != server.ShareNone {
		problems = append(problems, hint(errors.New("--resume and --share exclude each other: a shared COMMAND goes on without its clients anyway"),
			"--share=broadcast --linger=1m --replay=100"))
	}
	if o.once {
		problems = append(problems, hint(errors.New("--resume and --once exclude each other: who comes back is another connection"), "leave one of them out"))
	}
	if o.maxFrameSize == 0 || o.maxFrameSize > framing.MaxHeld {
		problems = append(problems, hint(errors.New("--resume holds a message until all of it has come, so --maxframesize must bound it, below 4GiB"),
			"--maxframesize=64MiB"))
	}
	return errors.Join(problems...)
}

func resumeBuffer(s string) (int64, error) {
	n, err := size(s)
	if err != nil {
		return 0, err
	}
	if n < minResumeBuffer || n > maxResumeBuffer {
		return 0, errors.New("not between 64KiB and 1GiB")
	}
	return n, nil
}
