// Command dist builds the packages of a release: archives for all platforms, .deb, .rpm,
// container images, and their checksums.
// The same commit and the same Go give the same bytes, wherever and whenever they are built.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	var r release
	flag.StringVar(&r.root, "root", "../..", "directory of the source tree")
	flag.StringVar(&r.out, "o", "../../dist", "directory to write")
	flag.StringVar(&r.version, "version", "", "version; that of git describe by default")
	targets := flag.String("targets", strings.Join(allTargets, ","), "platforms to build for")
	notices := flag.Bool("notices", false, "only write "+noticesFile+", which wspipe --license prints")
	flag.Parse()
	r.targets = strings.Split(*targets, ",")
	run := r.run
	if *notices {
		run = r.writeNotices
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}
