//go:build linux

// Bench measures wspipe beside websocketd, and beside what the machine does bare.
// It writes RESULTS.md, and all that was measured to RESULTS.jsonl beside it, so that
// workloads that are not run again keep their part of the report. See `make bench`.
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
	"slices"
	"strings"
	"syscall"
	"time"
)

func workloads() []workload {
	return slices.Concat(
		[]workload{seqWorkload(), linesWorkload(), upWorkload()},
		echoWorkloads(),
		[]workload{stormWorkload(), storm2000Workload(), idleWorkload(), manyWorkload(), coresWorkload(), fanoutWorkload(), pacedFanoutWorkload()},
		largeWorkloads(),
		[]workload{terminalWorkload(), limitsWorkload(), soakWorkload()},
	)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	bin := flags.String("bin", "bin", "`directory` of wspipe, and of the helpers below bench")
	only := flags.String("run", "", "only workloads whose name matches `regexp`; the others keep what they have in the report")
	output := flags.String("o", "bench/RESULTS.md", "the report's `file`")
	b := &bench{ctx: ctx}
	flags.IntVar(&b.rounds, "rounds", 5, "how often each contender does each workload")
	flags.Float64Var(&b.scale, "scale", 1, "how much of the work is done")
	flags.Parse(args) // exits if it fails
	which, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if err := b.find(*bin); err != nil {
		return err
	}
	if b.temp, err = os.MkdirTemp("", "wspipe-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.temp)
	return b.all(workloads(), which, *output)
}

// find finds the programs.
func (b *bench) find(bin string) (err error) {
	for to, path := range map[*string]string{&b.wspipe: "wspipe", &b.load: "bench/load", &b.profiled: "bench/profiled", &b.bare: "bench/bare"} {
		if *to, err = filepath.Abs(filepath.Join(bin, path)); err != nil {
			return err
		}
		if _, err := os.Stat(*to); err != nil {
			return fmt.Errorf("%w (make bench builds it)", err)
		}
	}
	if b.websocketd, err = exec.LookPath("websocketd"); err != nil {
		return fmt.Errorf("%w (make deps installs it)", err)
	}
	return nil
}

// all runs workloads and writes the report after each. One that fails has no part in
// it, or its old one.
func (b *bench) all(all []workload, which *regexp.Regexp, output string) (failed error) {
	b.dir = filepath.Dir(output)
	file := strings.TrimSuffix(output, ".md") + ".jsonl"
	results, err := loadResults(file)
	if err == nil {
		err = results.save(file) // before long work, to see that it can be
	}
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(w workload) bool { return !which.MatchString(w.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("no workload matches %q", which)
	}
	for _, w := range chosen {
		r, err := b.measure(w)
		if b.ctx.Err() != nil {
			return context.Cause(b.ctx)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", w.name, err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", w.name, err))
			continue
		}
		results[w.name] = r
		if err := results.save(file); err != nil {
			return err
		}
		if err := os.WriteFile(output, []byte(report(all, results)), 0o666); err != nil {
			return err
		}
	}
	return failed
}

// measure runs a workload.
func (b *bench) measure(w workload) (result, error) {
	rounds := b.rounds
	if w.rounds > 0 {
		rounds = w.rounds
	}
	b.commands = nil
	r := result{Workload: w.name, When: time.Now(), Scale: b.scale, Machine: b.machine()}
	for round := range rounds {
		for _, c := range w.contenders {
			start := time.Now()
			figures, err := c.run(b)
			if err != nil {
				return r, fmt.Errorf("%s: %w", c.name, err)
			}
			r.Runs = append(r.Runs, turn{c.name, figures})
			fmt.Fprintf(os.Stderr, "%s %d/%d %s: %s (%.1f s)\n", w.name, round+1, rounds, c.name, inLine(figures), time.Since(start).Seconds())
		}
	}
	r.Commands = b.commands
	return r, nil
}
