package main

import (
	"flag"
	"io"
	"net"
	"os"
	"syscall"
)

// bareCommand as the first argument makes bench the bare server.
const bareCommand = "bare"

// serveBare does as little as a server can for the clients of `echo hi`, to show what
// remains when there is no WebSocket server: it does not parse the request, and its child
// has neither a process group nor a stderr of its own. It ends with its process.
func serveBare(args []string) error {
	flags := flag.NewFlagSet(bareCommand, flag.ExitOnError)
	address := flags.String("address", "", "")
	port := flags.String("port", "", "")
	flags.String("loglevel", "", "ignored")
	flags.Parse(args)
	l, err := net.Listen("tcp", net.JoinHostPort(*address, *port))
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { // ends with the client
			defer conn.Close()
			greet(conn)
		}()
	}
}

func greet(conn net.Conn) {
	block := make([]byte, 4<<10)
	if _, err := conn.Read(block); err != nil { // the request comes in one piece
		return
	}
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	pid, err := syscall.ForkExec("/bin/echo", []string{"echo", "hi"}, &syscall.ProcAttr{Files: []uintptr{0, w.Fd(), 2}})
	w.Close()
	if err != nil {
		return
	}
	n, _ := r.Read(block[2:])
	syscall.Wait4(pid, nil, 0, nil)
	if n < 1 {
		return
	}
	block[0], block[1] = fin|opText, byte(n-1) // without the newline
	conn.Write(block[:2+n-1])
	conn.Write([]byte("\x88\x08\x03\xe8exit 0"))
	conn.Read(block) // the client's close frame
}
