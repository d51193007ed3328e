// Greeter answers every name it reads with a greeting, until the client goes.
//
//	go build -o bin/ ./examples/go/greeter
//	wspipe --port=8080 ./bin/greeter
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	for {
		name, err := in.ReadString('\n')
		if err != nil {
			return // the client has gone
		}
		fmt.Printf("Hello, %s!\n", strings.TrimSuffix(name, "\n")) // os.Stdout has no buffer, there is nothing to flush
	}
}
