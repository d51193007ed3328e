package wspipetest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

// network is a link to another machine, faked by a network namespace.
type network struct {
	t      testing.TB
	number int // of the subnet, from 10.213.20.0 on; nobody else has it
	server string
}

// newNetwork makes the link, until the test ends.
func newNetwork(t testing.TB, number int) *network {
	t.Helper()
	wspipetest.Need(t, "ip")
	wspipetest.Need(t, "tc")
	n := &network{t: t, number: number, server: fmt.Sprintf("10.213.%d.2", 20+number)}
	remove := func() {
		exec.Command("ip", "netns", "del", n.namespace()).Run()
		exec.Command("ip", "link", "del", n.device(0)).Run()
	}
	remove() // what tests that were killed have left
	t.Cleanup(remove)
	if out, err := exec.Command("ip", "netns", "add", n.namespace()).CombinedOutput(); err != nil {
		wspipetest.LackPermission(t, "ip netns add", out)
	}
	n.run("ip link add", n.device(0), "type veth peer name", n.device(1), "netns", n.namespace())
	// Our end has an address of its own only if this machine has none else: browsers, of
	// other tests, too, drop what they are loading when it gets another.
	if out, err := exec.Command("ip", "-4", "addr", "show", "scope", "global").Output(); err == nil && len(out) == 0 {
		n.run("ip addr add", fmt.Sprintf("10.213.%d.1/32", 20+number), "dev", n.device(0))
	}
	n.run("ip link set", n.device(0), "addrgenmode none")
	n.run("ip -n", n.namespace(), "addr add", n.server+"/32 dev", n.device(1))
	n.link(0, "up")
	n.link(1, "up")
	n.run("tc qdisc add dev", n.device(0), "clsact")
	return n
}

func (n *network) namespace() string     { return fmt.Sprint("wspiperesume", n.number) }
func (n *network) device(end int) string { return fmt.Sprintf("wsresume%d%c", n.number, 'a'+end) }

// link takes an end of the link down, or up again, with its route.
func (n *network) link(end int, to string) {
	n.t.Helper()
	n.run(n.at(end)+" link set", n.device(end), to)
	if to == "up" {
		n.run(n.at(end)+" route replace", []string{n.server, "default"}[end], "dev", n.device(end))
	}
}

// at returns how ip works at an end of the link: ours is 0, the server's 1.
func (n *network) at(end int) string { return []string{"ip", "ip -n " + n.namespace()}[end] }

func (n *network) run(words ...string) {
	n.t.Helper()
	args := strings.Fields(strings.Join(words, " "))
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// The directions that packets are lost in.
const (
	toClient = "ingress"
	toServer = "egress"
)

// lose loses packets in a direction, each with this chance, as tc-netem(8) would,
// which not every kernel has. None are lost any more with the chance 0.
func (n *network) lose(direction string, chance float64) {
	n.t.Helper()
	filter := []string{"dev", n.device(0), direction, "pref 1 handle 1 bpf"}
	if chance == 0 {
		n.run(append([]string{"tc filter del"}, filter...)...)
		return
	}
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM, linux/filter.h
	keep := uint32((1 - chance) * (1<<32 - 1))
	args := append([]string{"filter", "replace"}, strings.Fields(strings.Join(filter, " "))...)
	// Load the random number; if it is not above keep TC_ACT_OK, else TC_ACT_SHOT.
	args = append(args, "da", "bytecode", fmt.Sprintf("4,32 0 0 %d,37 1 0 %d,6 0 0 0,6 0 0 2", uint32(random), keep))
	if out, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("tc %q: %v: %s", args, err, out)
	}
}

// farServer is a server with --resume on the far side of a network.
type farServer struct {
	*network
	t      *testing.T
	server *wspipetest.Server
}

// resumed is a session over a network.
type resumed struct {
	farServer
	client *exec.Cmd
	want   string    // what the child prints until it is told to end
	last   string    // and then
	stdin  io.Writer // of the client

	stdout, stderr output // of the client
}

// output is what a running program has written.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Len()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// serveResumable starts a server on the far side of the network.
func serveResumable(t *testing.T, n *network, args ...string) *wspipetest.Server {
	t.Helper()
	command := append([]string{"netns", "exec", n.namespace(), wspipetest.Binary(t), "--port=0", "--address=" + n.server, "--no-auth", "--resume=2m", "--pingms=500"}, args...)
	return wspipetest.StartCommand(t, exec.Command("ip", command...))
}

// resume starts a server and a client of it, and returns what this is to print:
// what the server's command prints before and after it gets a line.
func resume(t *testing.T, n *network, want, last string, client, server []string) *resumed {
	t.Helper()
	r := &resumed{farServer: farServer{n, t, serveResumable(t, n, server...)}, want: want, last: last}
	ctx, cancel := context.WithTimeout(context.Background(), 8*wspipetest.Patience)
	t.Cleanup(cancel)
	r.client = exec.CommandContext(ctx, wspipetest.Binary(t), append(append([]string{"connect", "--resume"}, client...), r.server.WS)...)
	r.client.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	r.client.Stdout, r.client.Stderr = &r.stdout, &r.stderr
	stdin, err := r.client.StdinPipe() // which stays open: its end would be a key of a terminal
	if err != nil {
		t.Fatal(err)
	}
	r.stdin = stdin
	t.Cleanup(func() { stdin.Close() })
	if err := r.client.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// had waits until the client has printed this part of what it is to print.
func (r *resumed) had(part float64) {
	r.t.Helper()
	last, since := -1, time.Now()
	for {
		n := r.stdout.Len()
		if n >= int(part*float64(len(r.want))) {
			return
		}
		if n > last {
			last, since = n, time.Now()
		}
		if time.Since(since) > wspipetest.Patience {
			r.t.Fatalf("the client got stuck after %d bytes of %d\n%s", n, len(r.want), r.server.Stderr())
		}
		<-time.After(time.Millisecond)
	}
}

func (f *farServer) logged(message string) int {
	return strings.Count(f.server.Stderr(), "msg="+message+" ")
}

// interrupt breaks the network for a moment, which no connection notices.
func (f *farServer) interrupt(end int) {
	f.t.Helper()
	lost, began := f.logged("disconnect"), time.Now()
	f.flap(end)
	ended := f.logged("disconnect") != lost
	if ended && time.Since(began) < time.Second { // two pings; a busy machine may take longer
		f.t.Errorf("a moment without network ended the connection:\n%s", f.server.Stderr())
	}
}

// flap breaks the network for a moment, which a bad one may make too long for a
// connection.
func (f *farServer) flap(end int) {
	f.t.Helper()
	f.link(end, "down")
	<-time.After(time.Duration(50+mathrand.IntN(300)) * time.Millisecond)
	f.link(end, "up")
}

// lost breaks something until the server has given the connection up, repairs it,
// and waits until the client is back.
func (f *farServer) lost(breaks, repair func()) {
	f.t.Helper()
	breaks() // a bad network may have done so before
	until(f.t, "the server gives the connection up", func() bool { return f.logged("disconnect") == f.logged("connect")+f.logged("resume") })
	back := f.logged("resume")
	repair()
	until(f.t, "the client comes back", func() bool { return f.logged("resume") > back })
}

// cut is lost by the link.
func (f *farServer) cut(end int) {
	f.t.Helper()
	f.lost(func() { f.link(end, "down") }, func() { f.link(end, "up") })
}

// vanish is cut until the client has given up, too, without a word of the server.
func (r *resumed) vanish() {
	r.t.Helper()
	notices := func() int { return strings.Count(r.stderr.String(), "; reconnecting in ") }
	before := notices()
	r.lost(func() { r.link(1, "down") }, func() {
		until(r.t, "the client gives the connection up", func() bool { return notices() > before })
		r.link(1, "up")
	})
}

// deaf is lost in one direction.
func (f *farServer) deaf(direction string) {
	f.t.Helper()
	f.lost(func() { f.lose(direction, 1) }, func() { f.lose(direction, 0) })
}

// suspend is cut for a client that does nothing meanwhile, as behind a closed lid.
func (r *resumed) suspend() {
	r.t.Helper()
	r.lost(func() {
		r.client.Process.Signal(syscall.SIGSTOP)
		r.link(0, "down")
	}, func() {
		r.link(0, "up")
		r.client.Process.Signal(syscall.SIGCONT)
	})
}

// end lets the child end and waits for the client's end, which must be the
// child's, after all of its output, each byte once.
func (r *resumed) end() {
	r.t.Helper()
	r.had(1)
	fmt.Fprintln(r.stdin, "bye")
	r.want += r.last
	status := exitStatus(r.t, r.client.Wait())
	got := r.stdout.String()
	if status != 0 {
		r.t.Errorf("status %d: %s", status, r.stderr.String())
	}
	if got != r.want {
		i := 0
		for i < min(len(got), len(r.want)) && got[i] == r.want[i] {
			i++
		}
		r.t.Errorf("got %d bytes, want %d; from byte %d on %.40q, want %.40q", len(got), len(r.want), i, got[i:], r.want[i:])
	}
	if r.t.Failed() {
		r.t.Logf("the client:\n%s\nthe server:\n%s", r.stderr.String(), r.server.Stderr())
	}
	r.t.Logf("%d bytes over %d connections", len(got), 1+r.logged("resume"))
}

// counted returns the numbers up to n, each with end.
func counted(n int, end string) string {
	b := make([]byte, 0, 8*n)
	for i := range n {
		b = append(strconv.AppendInt(b, int64(i+1), 10), end...)
	}
	return string(b)
}

// everyMillisecond is a child that prints the numbers up to n, one a millisecond,
// and the line that it gets then.
func everyMillisecond(n int) []string {
	return []string{"python3", "-c", `
import sys, time
due = time.monotonic()
for i in range(1, int(sys.argv[1]) + 1):
    due += 0.001
    time.sleep(max(0, due - time.monotonic()))
    print(i, flush=True)
print(input())`, strconv.Itoa(n)}
}

// TestNumbersOverABadNetwork: a number a millisecond, each exactly once, whatever
// the network does.
func TestNumbersOverABadNetwork(t *testing.T) {
	t.Parallel()
	const count = 20_000
	r := resume(t, newNetwork(t, 1), counted(count, "\n"), "bye\n", []string{"--subprotocol="}, everyMillisecond(count))
	r.had(0.05)
	r.interrupt(0)
	r.had(0.1)
	r.lose(toClient, 0.2)
	r.lose(toServer, 0.2)
	r.had(0.2)
	r.lose(toClient, 0)
	r.lose(toServer, 0)
	r.had(0.25)
	r.cut(1)
	r.had(0.4)
	r.deaf(toClient)
	r.interrupt(1)
	r.had(0.6)
	r.suspend()
	r.had(0.8)
	r.lose(toClient, 0.05)
	r.deaf(toServer)
	r.end()
}

// TestAFloodOverABadNetwork: as much as the network takes, and little of it held.
func TestAFloodOverABadNetwork(t *testing.T) {
	t.Parallel()
	for i, protocol := range []string{"", "v1.wspipe"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			count := []int{1_000_000, 5_000_000}[i] // a message each, or many of them in one
			r := resume(t, newNetwork(t, 2+i), counted(count, "\n"), "bye\n", []string{"--subprotocol=" + protocol},
				[]string{"--resume-buffer=64KiB", "/bin/sh", "-c", fmt.Sprintf(`seq %d; read l; echo $l`, count)})
			for round, trouble := range []func(){
				r.suspend,
				func() { r.interrupt(0); r.lose(toServer, 0.1); r.flap(0) },
				func() { r.cut(mathrand.IntN(2)) },
				func() { r.deaf(toServer) },
				func() { r.deaf(toClient) },
			} {
				r.had((float64(round) + mathrand.Float64()) / 5)
				trouble()
			}
			r.end()
		})
	}
}

// TestResumeOverABadNetwork: all the ways that output can take.
func TestResumeOverABadNetwork(t *testing.T) {
	t.Parallel()
	const count = 10_000
	cert, key := wspipetest.NewCA(t, "root").Server(t)
	for i, test := range []struct {
		name           string
		client, server []string
		end, last      string
	}{
		{"channels", nil, nil, "\n", "bye\n"},
		{"terminal", nil, []string{"--pty"}, "\r\n", "bye\r\nbye\r\n"}, // with its echo
		{"tls", []string{"--insecure", "--subprotocol="}, []string{"--ssl", "--sslcert=" + cert, "--sslkey=" + key}, "\n", "bye\n"},
		{"bytes", []string{"--subprotocol=", "--binary"}, []string{"--binary"}, "\n", "bye\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := resume(t, newNetwork(t, 10+i), counted(count, test.end), test.last, test.client, append(test.server, everyMillisecond(count)...))
			r.had(0.1)
			r.interrupt(1)
			r.lose(toClient, 0.1)
			r.deaf(toServer)
			r.flap(1)
			r.had(0.5)
			r.cut(0)
			if test.name == "channels" {
				r.vanish()
			}
			r.end()
		})
	}
}

// TestResumeCompressed: wspipe connect does not compress, but others do.
func TestResumeCompressed(t *testing.T) {
	t.Parallel()
	const count = 300_000
	n := newNetwork(t, 20)
	s := serveResumable(t, n, "--compress", "--resume-buffer=256KiB", "/bin/sh", "-c", fmt.Sprintf("seq %d; exit 3", count))
	// What our host has acknowledged, but the library cannot read because it can no
	// longer answer a ping before that, is less than what is held.
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	url := s.WS + "?wspipe_session=" + rand.Text()
	for got, connections := 0, 1; ; connections++ {
		ctx, cancel := context.WithTimeout(t.Context(), 4*wspipetest.Patience)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, fmt.Sprintf("%s&wspipe_after=%d", url, got), &websocket.DialOptions{HTTPClient: client, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		cut := got + 20_000 + mathrand.IntN(100_000)
		for {
			var message []byte
			if _, message, err = conn.Read(ctx); err != nil {
				break
			}
			if got++; string(message) != strconv.Itoa(got) {
				t.Fatalf("message %d is %q, in connection %d", got, message, connections)
			}
			if got == cut {
				lost := strings.Count(s.Stderr(), "msg=disconnect ")
				n.link(0, "down")
				until(t, "the server gives the connection up", func() bool { return strings.Count(s.Stderr(), "msg=disconnect ") > lost })
				n.link(0, "up")
				conn.Write(ctx, websocket.MessageText, []byte("are you there?")) // what has come is still to be read
			}
		}
		if end, ok := errors.AsType[websocket.CloseError](err); ok {
			if end.Reason != "exit 3" || got != count || connections < 3 {
				t.Errorf("%v after %d messages and %d connections", end, got, connections)
			}
			return
		}
	}
}
