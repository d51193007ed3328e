package wspipetest_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"wspipe/cmd/wspipetest"
)

// numberClient is a client of a shared child that prints numbers, one a line with zeros in
// front. It counts numbers that are missing, and messages that are not what must come next.
type numberClient struct {
	net.Conn
	r     *bufio.Reader
	next  atomic.Int64  // one more than the last number; 0 before the first
	ended chan struct{} // closed with the connection; the rest is valid then

	first, messages, missing, wrong int
	end                             string // the close frame, or an error
}

// dialNumbers connects n clients that do not read yet. A receive buffer of 0 is the
// kernel's choice.
func dialNumbers(t *testing.T, s *wspipetest.Server, n, receiveBuffer int) (clients []*numberClient) {
	t.Helper()
	address := strings.Trim(s.WS, "ws:/")
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if receiveBuffer > 0 {
			conn.(*net.TCPConn).SetReadBuffer(receiveBuffer)
		}
		c := &numberClient{Conn: conn, r: bufio.NewReaderSize(conn, 16<<10), ended: make(chan struct{})}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", address, upgradeFields)
		if response, err := http.ReadResponse(c.r, nil); err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("opening handshake: %v %v", response, err)
		}
		clients = append(clients, c)
	}
	return clients
}

// readAll lets clients read to their ends.
func readAll(clients []*numberClient) []*numberClient {
	for _, c := range clients {
		go c.read() // ends with the connection, which ends with the test
	}
	return clients
}

func (c *numberClient) read() {
	defer close(c.ended)
	defer c.Close()
	for c.end == "" {
		first, size, err := c.header()
		if err != nil {
			c.end = err.Error()
			return
		}
		payload, err := c.r.Peek(size)
		switch {
		case err != nil:
			c.end = err.Error()
		case first == 0x88 && size >= 2:
			c.end = fmt.Sprintf("%d %s", binary.BigEndian.Uint16(payload), payload[2:])
		case first == 0x89:
			c.Write(append([]byte{0x8a, 0x80 | byte(size), 0, 0, 0, 0}, payload...)) // the mask changes nothing
		case first == 0x81:
			c.take(payload)
		default:
			c.wrong++
		}
		c.r.Discard(size)
	}
}

// header reads the header of a frame.
func (c *numberClient) header() (first byte, size int, err error) {
	head, err := c.r.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	first, size = head[0], int(head[1])
	n := 2
	if size == 126 {
		n = 4
		if head, err = c.r.Peek(n); err != nil {
			return 0, 0, err
		}
		size = int(binary.BigEndian.Uint16(head[2:]))
	}
	_, err = c.r.Discard(n)
	return first, size, err
}

// take counts a message.
func (c *numberClient) take(payload []byte) {
	number, err := strconv.Atoi(string(payload[max(0, len(payload)-10):]))
	next := int(c.next.Load())
	if c.messages++; c.messages == 1 {
		c.first, next = number, number
	}
	if err != nil || number < next {
		c.wrong++
		return
	}
	c.missing += number - next
	c.next.Store(int64(number) + 1)
}

// untilAllHave waits until every client has this number or has ended.
func untilAllHave(t *testing.T, clients []*numberClient, number int) {
	t.Helper()
	until(t, fmt.Sprintf("all clients have number %d", number), func() bool {
		return !slices.ContainsFunc(clients, func(c *numberClient) bool {
			select {
			case <-c.ended:
				return false
			default:
				return c.next.Load() <= int64(number)
			}
		})
	})
}

// expectAll waits for the clients' ends. Each must have received every number from its first
// to last, and the child's exit.
func expectAll(t *testing.T, what string, clients []*numberClient, last int) {
	t.Helper()
	for _, c := range clients {
		<-c.ended
		if c.missing != 0 || c.wrong != 0 || c.next.Load() != int64(last)+1 || c.end != "1000 exit 0" {
			t.Fatalf("%s: %d messages from number %d to %d, %d missing and %d wrong, then %q; want all to number %d",
				what, c.messages, c.first, c.next.Load()-1, c.missing, c.wrong, c.end, last)
		}
	}
}

// printer is the one client of a shared child that lets it print.
type printer struct {
	*wspipetest.Client
	t       *testing.T
	printed int // numbers so far
}

// startPrinter starts a wspipe whose child prints numbers of that width.
func startPrinter(t *testing.T, width int, flags ...string) *wspipetest.Server {
	t.Helper()
	script := fmt.Sprintf(`while read -r first last; do [ "$last" ] || exit 0; seq -f %%0%d.0f "$first" "$last"; done`, width)
	return startPlain(t, slices.Concat([]string{"--share=broadcast"}, flags, []string{"/bin/sh", "-c", script})...)
}

// dialPrinter connects once as many other clients are attached. It waits for its own
// output only if it is asked for it.
func dialPrinter(t *testing.T, s *wspipetest.Server, others int) *printer {
	t.Helper()
	p := &printer{Client: dial(t, s.WS), t: t}
	until(t, "all clients are attached", func() bool { return strings.Count(s.Stderr(), "msg=connect ") == others+1 })
	return p
}

// print lets the child print n more numbers.
func (p *printer) print(n int) {
	p.t.Helper()
	p.Send(fmt.Sprintf("%d %d", p.printed, p.printed+n-1))
	p.printed += n
}

// printAndRead lets the child print n more numbers and waits until the printer itself and the
// clients have them.
func (p *printer) printAndRead(n int, clients []*numberClient) {
	p.t.Helper()
	first := p.printed
	p.print(n)
	for i := range n {
		if line := p.Next(); atoi(p.t, line[max(0, len(line)-10):]) != first+i {
			p.t.Fatalf("line %d is %.100q", first+i, line)
		}
	}
	untilAllHave(p.t, clients, p.printed-1)
}

// readAll reads until the connection ends. To close it at once could lose what was sent.
func (p *printer) readAll() {
	for err := error(nil); err == nil; {
		_, _, err = p.Read(p.Ctx)
	}
}

// exit lets the child exit.
func (p *printer) exit() { p.Send("exit") }

// TestManyClients: each receives every number. A late client receives exactly the
// replay and what follows. One that does not read is disconnected.
func TestManyClients(t *testing.T) {
	const clients, late, replay, rounds, lines, width = 300, 50, 100, 100, 100, 800 // more than all kernel buffers
	s := startPrinter(t, width, "--slow=disconnect", fmt.Sprintf("--replay=%d", replay))
	idle := descriptors(t, s.Pid())
	stuck := dialNumbers(t, s, 1, 64<<10)
	all := readAll(dialNumbers(t, s, clients, 0))
	p := dialPrinter(t, s, clients+1)
	settled := 0
	for round := range rounds {
		if round >= rounds-late {
			all = append(all, readAll(dialNumbers(t, s, 1, 0))...)
			untilAllHave(t, all, p.printed-1)
		}
		p.printAndRead(lines, all)
		if round == rounds/6 {
			settled = memory(t, s.Pid(), "VmRSS")
		}
	}
	grown := memory(t, s.Pid(), "VmRSS") - settled
	t.Logf("memory: %d MB, then %d MB more", settled/mb, grown/mb)
	if grown > 50*mb {
		t.Errorf("memory has grown from %d MB by %d MB", settled/mb, grown/mb)
	}
	p.exit()
	p.ExpectEnd(1000, "exit 0")
	expectAll(t, "clients", all, p.printed-1)
	for i, c := range all {
		want := 0
		if i >= clients {
			want = (rounds-late+i-clients)*lines - replay
		}
		if c.first != want {
			t.Fatalf("client %d begins with number %d, want %d", i, c.first, want)
		}
	}
	s.AwaitStderr("code=1013")
	readAll(stuck)
	<-stuck[0].ended
	if c := stuck[0]; c.end == "1000 exit 0" || c.missing+c.wrong != 0 {
		t.Errorf("the client that does not read: %d missing, %d wrong, then %q", c.missing, c.wrong, c.end)
	}
	expectNothingLeft(t, s, idle)
	if n := strings.Count(s.Stderr(), "code=1013"); n != 1 {
		t.Errorf("%d clients were disconnected as too slow", n)
	}
}

// expectNothingLeft waits until all that s had for clients is gone.
func expectNothingLeft(t *testing.T, s *wspipetest.Server, idle int) {
	t.Helper()
	until(t, "the child is gone", func() bool { return children(s.Pid()) == 0 })
	until(t, "every descriptor is closed", func() bool { return descriptors(t, s.Pid()) <= idle+2 })
	until(t, "all clients have disconnected", func() bool {
		log := s.Stderr()
		return strings.Count(log, "msg=connect ") == strings.Count(log, "msg=disconnect ")
	})
}

// TestManyThatDoNotRead: the backlogs of clients that do not read are bounded, whatever
// --slow says, while the child prints 100 MB as fast as it can.
func TestManyThatDoNotRead(t *testing.T) {
	const lines, width = 10_000, 10_000
	for slow, test := range map[string]struct{ readers, stuck int }{
		"disconnect": {5, 95},
		"drop":       {5, 95},
		"block":      {5, 15}, // all of them receive everything
	} {
		t.Run(slow, func(t *testing.T) {
			s := startPrinter(t, width, "--slow="+slow)
			idle := descriptors(t, s.Pid())
			stuck := dialNumbers(t, s, test.stuck, 0)
			readers := readAll(dialNumbers(t, s, test.readers, 0))
			p := dialPrinter(t, s, test.readers+test.stuck)
			before := memory(t, s.Pid(), "VmHWM")
			p.print(lines)
			p.exit()
			go p.readAll() // ends with the child
			if slow == "block" {
				untilQuiet(t, s, readers)
				if readers[0].next.Load() == lines {
					t.Error("nobody waited for the clients that do not read")
				}
				readAll(stuck)
			}
			for _, c := range readers {
				<-c.ended
			}
			grown := memory(t, s.Pid(), "VmHWM") - before
			t.Logf("memory: %d MB, at most %d MB more", before/mb, grown/mb)
			if grown > 60*mb {
				t.Errorf("memory has grown by %d MB", grown/mb)
			}
			if slow == "block" {
				expectAll(t, "readers", readers, lines-1)
				expectAll(t, "the others", stuck, lines-1)
			} else {
				readAll(stuck)
			}
			for _, c := range slices.Concat(readers, stuck) {
				if <-c.ended; c.wrong != 0 {
					t.Errorf("%d messages are wrong", c.wrong)
				}
			}
			expectNothingLeft(t, s, idle)
		})
	}
}

// untilQuiet waits until the clients have received something, and then nothing more while
// the server answers many requests.
func untilQuiet(t *testing.T, s *wspipetest.Server, clients []*numberClient) {
	t.Helper()
	received := func() (n int64) {
		for _, c := range clients {
			n += c.next.Load()
		}
		return n
	}
	until(t, "the clients receive nothing more", func() bool {
		before := received()
		for range 1000 {
			response, err := http.Get("http" + strings.TrimPrefix(s.WS, "ws"))
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		return before > 0 && received() == before
	})
}
