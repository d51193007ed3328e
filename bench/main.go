// Bench measures the speed and size of wspipe beside Debian's websocketd, on Linux,
// and writes a table of the results: what was measured, what was aimed for, and
// whether that is met. See `make bench` and `make bench-quick`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// bench is what all rows share.
type bench struct {
	ctx                      context.Context // ends when the user interrupts
	wspipe, websocketd, bare program
	quick                    bool
	divisor                  int           // divides every amount of work; tests use it
	settle                   time.Duration // how long memory must stay the same to count
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == bareCommand {
		fail(serveBare(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	fail(run(ctx))
}

// fail exits with status 1 if there is an error.
func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	wspipe := flag.String("wspipe", "bin/wspipe", "measure the wspipe at `path`")
	only := flag.String("run", "", "measure only the rows whose name matches `regexp`")
	rounds := flag.Int("rounds", 0, "measure every row this `often`; 0: as often as the row says")
	quick := flag.Bool("quick", false, "three minutes instead of ten: less work and fewer rounds")
	output := flag.String("o", "", "also write the table to `file`; not with -run")
	flag.Parse()
	which, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if *only != "" && *output != "" {
		return errors.New("-run measures some rows only: they would replace the whole table in the file of -o")
	}
	b, err := newBench(ctx, *wspipe)
	if err != nil {
		return err
	}
	b.quick = *quick
	results, failed := b.measure(which, *rounds)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := b.report(results)
	fmt.Print(text)
	if *output != "" {
		failed = errors.Join(failed, os.WriteFile(*output, []byte(text), 0o666))
	}
	return failed
}

// newBench finds the programs.
func newBench(ctx context.Context, wspipe string) (*bench, error) {
	wspipe, err := filepath.Abs(wspipe)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(wspipe); err != nil {
		return nil, fmt.Errorf("%w (make build builds it)", err)
	}
	websocketd, err := exec.LookPath("websocketd")
	if err != nil {
		return nil, fmt.Errorf("%w (make deps installs it)", err)
	}
	self, err := os.Executable()
	return &bench{
		ctx:        ctx,
		wspipe:     program{"wspipe", []string{wspipe}},
		websocketd: program{"websocketd", []string{websocketd}},
		bare:       program{"bare server", []string{self, bareCommand}},
		divisor:    1,
		settle:     5 * time.Second,
	}, err
}

// measure measures rows, each in so many rounds. A row that fails has no results.
func (b *bench) measure(which *regexp.Regexp, rounds int) (results map[string]samples, failed error) {
	results = make(map[string]samples)
	for _, r := range rows() {
		if !which.MatchString(r.name) || b.ctx.Err() != nil {
			continue
		}
		n := rounds
		if n == 0 {
			n = r.rounds
			if b.quick {
				n = r.quickRounds
			}
		}
		start := time.Now()
		s, err := r.measure(b, n)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", r.name, err))
			continue
		}
		results[r.name] = s
		fmt.Fprintf(os.Stderr, "%s: %d rounds in %.1f s\n", r.name, n, time.Since(start).Seconds())
	}
	return results, failed
}

// amount is how much work a program does: whole, or less in a test.
func (b *bench) amount(whole int) int { return max(1, whole/b.divisor) }

// flood is amount for a rate that depends little on the amount: in a quick run websocketd,
// which takes most of the time, does a tenth.
func (b *bench) flood(p program, whole int) int {
	if b.quick && p.name == b.websocketd.name {
		whole /= 10
	}
	return b.amount(whole)
}
