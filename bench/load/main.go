// Load measures a shared child: it is many clients of one address at once, and
// checks what each of them gets. It is also such a child.
//
//	load print [flags]      print numbered lines with the time, at a steady pace
//	load read [flags] URL   be the clients of such a child, and tell as JSON how it went;
//	                        SIGINT ends it before the time
//
// A line is its number, the time in Unix nanoseconds and padding, with a space
// between. Of a child that prints bare numbers no delay is known.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "print":
			return runPrint(args[1:])
		case "read":
			return runRead(args[1:])
		}
	}
	return errors.New("usage: load print [flags] | load read [flags] URL")
}

func runPrint(args []string) error {
	flags := flag.NewFlagSet("load print", flag.ExitOnError)
	p := printer{}
	flags.IntVar(&p.lines, "lines", 1000, "how many lines")
	flags.IntVar(&p.width, "width", 100, "bytes of a line, without its end, as far as number and time are shorter")
	flags.Float64Var(&p.rate, "rate", 0, "lines a second; 0: as fast as can be")
	flags.BoolVar(&p.wait, "wait", false, "begin when a line comes on stdin")
	flags.Parse(args) // exits if it fails
	return p.print(os.Stdin, os.Stdout)
}

func runRead(args []string) error {
	flags := flag.NewFlagSet("load read", flag.ExitOnError)
	opt := options{}
	flags.IntVar(&opt.readers, "clients", 1, "how many clients come at once and read whatever there is")
	flags.IntVar(&opt.late, "late", 0, "how many more come later, one by one")
	flags.Int64Var(&opt.every, "every", 100, "after how many more lines the next late one comes")
	flags.IntVar(&opt.paused, "paused", 0, "how many more read nothing at first")
	flags.IntVar(&opt.buffer, "buffer", 0, "the receive buffer of those, in bytes; 0: the kernel's choice")
	flags.Func("until", "`LINE` that the clients must have before the paused ones read, or\nstall: until they get nothing for a second, or end: until they have ended (default end)", opt.setUntil)
	flags.DurationVar(&opt.limit, "for", 5*time.Minute, "how long all of it may take")
	flags.Parse(args) // exits if it fails
	if flags.NArg() != 1 {
		return errors.New("usage: load read [flags] URL")
	}
	opt.url = flags.Arg(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	res, err := read(ctx, opt)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(res)
}

// setUntil takes the value of -until.
func (o *options) setUntil(s string) (err error) {
	switch o.until, o.stall = 0, s == "stall"; s {
	case "stall", "end":
	default:
		o.until, err = strconv.ParseInt(s, 10, 64)
	}
	return err
}
