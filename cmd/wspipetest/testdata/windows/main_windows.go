// Command windows is the child of the tests under Wine.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

func main() {
	switch os.Args[1] {
	case "args":
		dir, _ := os.Getwd()
		fmt.Printf("%q in %s\n", os.Args[2:], dir)
		fmt.Fprintln(os.Stderr, "on stderr")
	case "echo":
		io.Copy(os.Stdout, os.Stdin)
		fmt.Println("EOF")
	case "exit":
		status, _ := strconv.ParseUint(os.Args[2], 0, 32)
		os.Exit(int(status))
	case "sleep":
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "parent": // starts a descendant that is connected to an address and holds our stdout
		c := exec.Command(os.Args[0], "connect", os.Args[2])
		c.Stdout = os.Stdout
		c.Run()
	case "connect":
		conn, _ := net.Dial("tcp", os.Args[2])
		fmt.Println("connected")
		io.Copy(io.Discard, conn)
	}
}
