//go:build unix

package bridge

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestJoinAtTheExit: a client that joins while the child ends gets the whole replay and the
// exit.
func TestJoinAtTheExit(t *testing.T) {
	t.Parallel()
	const lines = 20
	var output strings.Builder
	var want []string
	for i := range lines {
		fmt.Fprintf(&output, "line %d\n", i)
		want = append(want, fmt.Sprintf("line %d", i))
	}
	for range 150 {
		child := newPuppet(t)
		b := startBroadcast(t, child, Options{Replay: lines})
		child.print(t, output.String())
		var all sync.WaitGroup
		all.Go(func() { child.exit(3, "") })
		for range 4 {
			all.Go(func() { // ends with the connection
				v := b.join(link{}, Options{})
				v.expect(want...)
				v.expectClose(1000, "exit 3")
				if sum := v.summary(); sum.ExitCode != 3 {
					t.Errorf("summary %+v", sum)
				}
			})
		}
		all.Wait()
	}
}

// TestJoinAfterTheExit: a client that joins later gets the replay, too, in any encoding.
func TestJoinAfterTheExit(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{Replay: 2})
	child.print(t, "1\n2\n3")
	child.exit(3, "")
	b.ended <- wspipetest.Wait(t, "the end of the broadcast", b.ended)
	for range 2 {
		v := b.join(link{}, Options{})
		v.expect("2", "3")
		v.expectClose(1000, "exit 3")
	}
	v := b.join(link{protocol: channel.ProtocolWspipe}, Options{})
	if got := v.stream(channel.Stdout, 4); got != "2\n3\n" {
		t.Errorf("stdout %q", got)
	}
	v.expectClose(1000, "exit 3")
}

// TestExitWaitsForNoClient: clients get the exit although another one does not read, which
// still gets everything when it does.
func TestExitWaitsForNoClient(t *testing.T) {
	t.Parallel()
	child := newPuppet(t)
	b := startBroadcast(t, child, Options{})
	stuck, other := b.join(link{buffers: 64 << 10}, Options{}), b.join(link{}, Options{})
	line := strings.Repeat("x", 10_000)
	const lines = 50 // fewer than may be queued, and more than the kernel accepts
	for range lines {
		child.print(t, line+"\n")
		other.expect(line)
	}
	child.exit(3, "")
	other.expectClose(1000, "exit 3")
	b.ended <- wspipetest.Wait(t, "the end of the broadcast", b.ended)
	if n := stuck.wire.Out.Waiting(); n == 0 {
		t.Fatal("nothing is queued for the client that does not read")
	}
	for range lines {
		stuck.expect(line)
	}
	stuck.expectClose(1000, "exit 3")
}

// TestBrokenFramingReachesAllClients: those that are attached, and those that wait for the
// end of a message, with the same reason.
func TestBrokenFramingReachesAllClients(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300_000)
	for mode, wrong := range map[framing.Framing]string{framing.Length: "\x00\x00\x00\x09half", framing.LSP: "Content-Type\r\n"} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			child := newPuppet(t)
			opt := Options{Framing: mode}
			b := startBroadcast(t, child, opt)
			var clients []*broadcastConn
			for i := range 40 {
				l := link{}
				if i%4 == 0 {
					l.protocol = channel.ProtocolWspipe
				}
				clients = append(clients, b.join(l, opt))
			}
			go func() { // ends when it is read
				io.WriteString(child.far[1], encoded(mode, long)+wrong)
				child.far[1].Close()
			}()
			reasons := map[string]int{}
			for _, v := range clients {
				for {
					f, err := v.frame()
					if err != nil {
						t.Fatal(err)
					}
					if f.first == fin|wire.OpClose {
						reasons[string(f.payload)]++
						v.write(maskedFrame(fin|wire.OpClose, f.payload))
						break
					}
				}
			}
			for reason, n := range reasons {
				if n != len(clients) || !strings.HasPrefix(reason, "\x03\xf3bad "+mode.String()+" output: ") {
					t.Errorf("%d of %d get %q", n, len(clients), reason)
				}
			}
		})
	}
}
