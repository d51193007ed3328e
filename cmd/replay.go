package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wspipe/cmd/connect"
	"wspipe/server/recording"
)

const replayName = "replay"

const aboutReplay = `Print a recording of wspipe --record, or any asciicast v2 file, with its timing, and exit with the
exit status of the recorded program. The recorded stderr goes to stderr.`

// replayOptions holds the values of the flags of "wspipe replay".
type replayOptions struct {
	speed float64
	idle  time.Duration

	// errs are the errors of single flags.
	errs []error
}

// addFlags defines the flags that set o.
func (o *replayOptions) addFlags(to *pflag.FlagSet) {
	to.SortFlags = false
	to.SetInterspersed(false)
	f := &flagSet{to: to, errs: &o.errs}
	f.group = "Flags"
	f.value("speed", "N", "1", "how many times faster to print it, such as 4 or 0.5", set(&o.speed, speed))
	f.value("idle", "DUR", "", "shorten each pause of the recording to this, such as 1s", set(&o.idle, duration))
	help := f.add("help", "h", "bool", "false", "print this help", func(s string) error { _, err := boolean(s); return err })
	help.NoOptDefVal = "true" // cobra handles it
}

func speed(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0 && n <= 1e6) {
		return 0, errors.New("must be a positive number, such as 4 or 0.5")
	}
	return n, nil
}

// replayExamples returns the examples at the top of the help of a program called name.
func replayExamples(name string) string {
	return strings.ReplaceAll(`  wspipe replay --idle=1s demo.cast
  wspipe --devconsole wspipe replay demo.cast    a fake backend`, "wspipe", name)
}

// replayCommand returns the command "wspipe replay".
func (p *invocation) replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   replayName + " [flags] FILE",
		Short:                 "print a recording of --record with its timing",
		Long:                  aboutReplay,
		Example:               replayExamples(p.name),
		RunE:                  p.runReplay,
	}
	p.replay.addFlags(cmd.Flags())
	return cmd
}

// runReplay runs "wspipe replay".
func (p *invocation) runReplay(cmd *cobra.Command, words []string) error {
	problems := problemList(p.replay.errs)
	switch {
	case len(words) == 0:
		problems = append(problems, hint(errors.New("no FILE to replay"), "wspipe replay demo.cast"))
	case len(words) > 1:
		problems = append(problems, fmt.Errorf("unexpected argument %s after FILE", shellWords(words[1:]...)))
	}
	if err := errors.Join(problems...); err != nil {
		return usageError{err}
	}
	name := words[0]
	file, err := os.Open(name)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("cannot open %s: %w", shellWords(name), failed.Err)
	}
	defer file.Close()
	player := recording.Player{Stdout: p.stdout, Stderr: p.direct, Speed: p.replay.speed, MaxIdle: p.replay.idle}
	exit, err := player.Replay(cmd.Context(), file)
	damaged, isDamaged := errors.AsType[*recording.LineError](err)
	failed, _ := errors.AsType[*fs.PathError](err)
	switch {
	case isDamaged:
		return hint(fmt.Errorf("cannot replay %s: %w", shellWords(name), damaged), "a recording is a text file with one line for each event, which wspipe --record makes")
	case errors.Is(err, syscall.EPIPE):
		p.status = connect.ExitStatus("signal PIPE")
		return nil
	case failed != nil && failed.Op == "read":
		return fmt.Errorf("cannot read %s: %w", shellWords(name), failed.Err)
	case err != nil:
		return err
	}
	p.status = connect.ExitStatus(exit)
	return nil
}
