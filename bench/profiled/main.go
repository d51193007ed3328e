// Profiled is wspipe with a listener for profiles: what net/http/pprof serves,
// at the TCP address that WSPIPE_PPROF names. The command line is wspipe's.
//
//	go build ./bench/profiled
//	WSPIPE_PPROF=127.0.0.1:6060 ./profiled --port=8080 seq 100000000
//	go tool pprof 'http://127.0.0.1:6060/debug/pprof/profile?seconds=5'
//
// Wspipe itself has no such flag. Profiles tell a stranger the command line and what
// is in memory, so they would need the gate that stands before all else; and whoever only
// serves a program would carry the code along.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // at http.DefaultServeMux, which wspipe does not use
	"os"

	"wspipe/cmd"
)

func main() {
	if err := serveProfiles(os.Getenv("WSPIPE_PPROF")); err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		os.Exit(1)
	}
	os.Exit(cmd.Main(os.Args, os.Stdout, os.Stderr, ""))
}

// serveProfiles listens at address, as long as the process lives.
func serveProfiles(address string) error {
	if address == "" {
		return fmt.Errorf("WSPIPE_PPROF is not set: it is the address for profiles, such as 127.0.0.1:6060")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go http.Serve(listener, nil) // ends with the process
	return nil
}
