// Count counts to 10, or as far as its argument says, one number a second.
//
//	go build -o bin/ ./examples/go/count
//	wspipe --port=8080 ./bin/count
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"time"
)

func main() {
	last := 10
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		last = n
	}
	for n := 1; n <= last; n++ {
		fmt.Println(n) // os.Stdout has no buffer, there is nothing to flush
		time.Sleep(time.Second)
	}
}
