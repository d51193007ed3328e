package cmd

import (
	"errors"
	"fmt"
	"time"

	"wspipe/bridge/framing"
	"wspipe/server"
)

// resumeOptions holds the values of the flags for sessions.
type resumeOptions struct {
	grace  time.Duration
	buffer int64
}

// The bounds of --resume-buffer, in bytes: it must hold a message, and every session may use
// all of it.
const (
	defaultResumeBuffer = 1 << 20
	minResumeBuffer     = 64 << 10
	maxResumeBuffer     = 1 << 30
)

func (o *endpointOptions) addResume(f *flagSet) {
	f.group = "Sessions"
	f.value("resume", "DUR", "0", "how long COMMAND keeps running for a disconnected client", set(&o.resumeOptions.grace, duration))
	f.value("resume-buffer", "SIZE", fmt.Sprintf("%dMiB", defaultResumeBuffer>>20), "how much output is kept for a disconnected client", set(&o.resumeOptions.buffer, resumeBuffer))
}

// resumeConflicts joins the errors of session flags that cannot be combined.
func (o *endpointOptions) resumeConflicts() error {
	if o.resumeOptions.grace == 0 {
		if o.resumeOptions.buffer != defaultResumeBuffer {
			return hint(errors.New("--resume-buffer requires --resume"), "add --resume=1m")
		}
		return nil
	}
	var problems []error
	if o.share != server.ShareNone {
		problems = append(problems, hint(errors.New("--resume and --share cannot be combined: a shared COMMAND outlives its connections anyway"),
			"--share=broadcast --linger=1m --replay=100"))
	}
	if o.maxFrameSize == 0 || o.maxFrameSize > framing.MaxHeld {
		problems = append(problems, hint(errors.New("--resume buffers whole messages, so --maxframesize must be below 4GiB and not 0"),
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
		return 0, errors.New("must be between 64KiB and 1GiB")
	}
	return n, nil
}
