// Command wspipe serves programs that read stdin and write stdout as WebSockets.
package main

import (
	_ "embed"
	"os"

	"wspipe/cmd"
)

//go:embed LICENSE
var license string

func main() { os.Exit(cmd.Main(os.Args, os.Stdout, os.Stderr, license)) }
