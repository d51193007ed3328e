//go:build unix

package bridge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wspipe/bridge/channel"
	"wspipe/bridge/framing"
	"wspipe/bridge/wire"
	"wspipe/cmd/wspipetest"
)

// TestBlockedMux: a child that does not read blocks its clients, in bounded memory, and
// nothing is lost.
func TestBlockedMux(t *testing.T) {
	t.Parallel()
	const clients, messages, width = 5, 10, 20_000 // of control characters: 6 MB as JSON
	s := startMux(t, Options{})
	var all []*muxConn
	for range clients {
		all = append(all, s.join(link{buffers: 64 << 10}, Options{MaxMessage: 1 << 20}))
	}
	word := strings.Repeat("\x01", width)
	for _, v := range all {
		go func() { // ends when everything was read
			for range messages {
				v.Write(maskedFrame(fin|opText, []byte(word)))
			}
		}()
	}
	wspipetest.Eventually(t, "they wait", func() bool { return s.stdin.Waiting() > maxInputBacklog })
	most := 0
	var got [clients]int
	for range clients * messages {
		most = max(most, s.stdin.Waiting())
		e := s.event()
		if e.Event != "message" || *e.Data != word {
			t.Fatalf("%s from %s", e.Event, e.Client)
		}
		got[e.Client[0]-'1']++
	}
	for i, n := range got {
		if n != messages {
			t.Errorf("client %d: %d messages arrived", i+1, n)
		}
	}
	if limit := maxInputBacklog + clients*(6*width+framing.MaxWhole); most > limit {
		t.Errorf("%d bytes were queued, more than %d", most, limit)
	}
}

// TestManyConnects: while much is queued for a child, it gets no more open events, and never
// one of a client that has disconnected meanwhile.
func TestManyConnects(t *testing.T) {
	t.Parallel()
	const storm = 150
	s := startMux(t, Options{})
	first := s.join(link{}, Options{})
	first.write(maskedFrame(fin|opText, []byte(strings.Repeat("x", maxInputBacklog+200_000)))) // more than the pipe takes
	wspipetest.Eventually(t, "much waits", func() bool { return s.stdin.Waiting() > maxInputBacklog })
	before := s.stdin.Waiting()
	var all []*muxConn
	for range storm {
		all = append(all, s.dial(link{}, Options{}))
	}
	for _, v := range all {
		v.send("hello")
	}
	var stay []*muxConn
	for i, v := range all {
		switch i % 3 {
		case 0:
			stay = append(stay, v)
		case 1:
			v.reset()
		case 2:
			v.Shutdown()
			v.expectClose(1001, "server shutting down")
		}
	}
	for i, v := range all {
		if i%3 != 0 {
			v.summary() // while the child does not read
		}
	}
	if now := s.stdin.Waiting(); now != before {
		t.Errorf("%d bytes queued, %d before", now, before)
	}
	s.print(t, muxMessage("*", "from the child")) // which does not know them
	first.expect("from the child")
	if e := s.event(); e.Event != "message" || e.Client != first.MuxID() {
		t.Fatalf("%s of %s", e.Event, e.Client)
	}
	opened := map[string]bool{}
	for range 2 * len(stay) {
		switch e := s.event(); {
		case e.Event == "open" && !opened[e.Client]:
			opened[e.Client] = true
		case e.Event == "message" && opened[e.Client] && *e.Data == "hello":
		default:
			t.Fatalf("%+v", e)
		}
	}
	for _, v := range stay {
		if !opened[v.MuxID()] {
			t.Errorf("no event of %s", v.MuxID())
		}
		s.print(t, muxMessage(v.MuxID(), "for one"))
		v.expect("for one")
	}
}

// TestFloodForAClientThatDoesNotRead: under each policy the other clients get everything in
// order, or wait for it.
func TestFloodForAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	const messages, width = 8_000, 500
	text := func(i int) string { return fmt.Sprintf("%0*d", width, i) }
	for name, policy := range map[string]SlowPolicy{"disconnect": SlowDisconnect, "drop": SlowDrop, "block": SlowBlock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startMux(t, Options{Slow: policy})
			stuck, quick := s.join(link{buffers: 64 << 10}, Options{}), s.join(link{}, Options{})
			printed := make(chan bool)
			go func() { // ends when the clients have read, or need not
				w := bufio.NewWriter(s.far[1])
				for i := range messages {
					w.WriteString(muxMessage("*", text(i)))
					if i%10 == 0 { // not all are for all clients
						w.WriteString(muxMessage("2", "only for 2"))
					}
				}
				w.Flush()
				close(printed)
			}()
			if policy == SlowBlock {
				var got atomic.Int64
				both := make(chan bool)
				go func() { // ends with quick's messages
					defer close(both)
					for range messages + messages/10 {
						quick.frame()
						got.Add(1)
					}
				}()
				before, still := int64(0), 0
				wspipetest.Eventually(t, "the slow one holds everybody", func() bool {
					now := got.Load()
					if still++; now != before {
						before, still = now, 0
					}
					return still > 200
				})
				if waits := stuck.wire.Out.Waiting(); before >= messages || waits <= wire.MaxUnsent || waits > 4*wire.BlockSize {
					t.Errorf("the other client has %d messages, and %d bytes are queued", before, waits)
				}
				for i := range messages {
					stuck.expect(text(i))
				}
				wspipetest.Wait(t, "the quick one has all", both)
				return
			}
			for i := range messages {
				quick.expect(text(i))
				if i%10 == 0 {
					quick.expect("only for 2")
				}
			}
			wspipetest.Wait(t, "all is printed", printed)
			if policy == SlowDisconnect {
				s.expectClosed(stuck, 1013)
				stuck.client.Close()
				if sum := stuck.summary(); sum.Code != 1013 {
					t.Errorf("it ended with %+v", sum.End)
				}
				return
			}
			s.exit(0, "")
			got, before := int64(0), -1
			for before < messages-1 {
				_, message, _ := stuck.message()
				number := 0
				if fmt.Sscanf(message, "%d", &number); number <= before {
					t.Fatalf("%d comes after %d", number, before)
				}
				before = number
				got++
			}
			stuck.expectClose(1000, "exit 0")
			if lost := stuck.dropped.Load(); lost == 0 || got+lost != messages {
				t.Errorf("%d messages arrived, %d were lost, of %d", got, lost, messages)
			}
		})
	}
}

// TestALongMessageIsNotSlow: a client that reads gets a message that is longer than a client
// may be behind.
func TestALongMessageIsNotSlow(t *testing.T) {
	t.Parallel()
	s := startMux(t, Options{})
	v := s.join(link{buffers: 256 << 10}, Options{})
	long := strings.Repeat("x", maxMuxLine-100)
	io.WriteString(s.far[1], muxMessage("1", "first")+muxMessage("1", long))
	v.expect("first", long)
}

// TestBlockedClientsDisconnect: a client may disconnect while the child does not read, and
// nothing waits for the child on its behalf.
func TestBlockedClientsDisconnect(t *testing.T) {
	t.Parallel()
	flood := func(c *client) {
		for { // until the client must wait, and longer
			if _, err := c.Write(maskedFrame(fin|opText, make([]byte, 100_000))); err != nil {
				return
			}
		}
	}
	t.Run("mux", func(t *testing.T) {
		t.Parallel()
		s := startMux(t, Options{})
		v := s.join(link{}, Options{})
		go flood(v.client) // ends with the connection
		wspipetest.Eventually(t, "it waits", func() bool { return s.stdin.Waiting() > maxInputBacklog })
		v.reset()
		if sum := v.summary(); sum.Code != 1006 {
			t.Errorf("it ended with %+v", sum.End)
		}
	})
	t.Run("broadcast", func(t *testing.T) {
		t.Parallel()
		b := startBroadcast(t, newPuppet(t), Options{})
		v := b.join(link{}, Options{})
		go flood(v.client) // ends with the connection
		wspipetest.Eventually(t, "it waits", func() bool { return b.stdin.Waiting() > maxInputBacklog })
		v.reset()
		if sum := v.summary(); sum.Code != 1006 {
			t.Errorf("it ended with %+v", sum.End)
		}
	})
}

// TestMuxAtRandom: clients attach, send and disconnect in every way, while the child sends,
// closes connections and exits. Its events are always in order.
func TestMuxAtRandom(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			s := startMux(t, Options{Slow: SlowPolicy(round % 3), InputTimeout: -1})
			s.reader = true // to the end
			told := make(chan map[string]string)
			go func() { told <- s.play() }() // ends with the mux, or with the child's last line
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() { // ends with its visits
					for range 15 {
						s.visit()
					}
				})
			}
			all.Wait()
			s.mux.Stop()
			states := wspipetest.Wait(t, "the end of the events", told)
			for id, state := range states {
				if state != "closed" {
					t.Errorf("client %s is %s", id, state)
				}
			}
			if len(states) < 6*15/2 { // some clients have disconnected before
				t.Errorf("events of %d clients", len(states))
			}
		})
	}
}

// visit attaches a client that does a few random things.
func (s *muxChild) visit() {
	protocol := ""
	if rand.N(4) == 0 {
		protocol = channel.ProtocolWspipe
	}
	c, ws, conn := connect(s.t, link{compress: rand.N(3) == 0, protocol: protocol})
	v := s.admit(c, attach(s.t, s.Bridge, Options{}, NewWebSocket(ws, conn, false), ClientOptions{}))
	closed := false
	read := func() {
		if f, _ := c.frame(); f.first == fin|wire.OpClose {
			c.Write(maskedFrame(fin|wire.OpClose, f.payload))
			closed = true
		}
	}
	for range 1 + rand.N(5) {
		if !closed {
			c.Write(maskedFrame(fin|opText, []byte(strings.Repeat("\x00a", rand.N(2000))+"\n")))
		}
		if !closed && rand.N(3) == 0 {
			read()
		}
	}
	if !closed {
		read()
	}
	switch rand.N(4) {
	case 0:
		c.reset()
	case 1:
		c.Write(closeFrame(1000, ""))
	case 2:
		v.Shutdown()
	}
	c.Close()
	v.summary()
}

// play replies to events at random until they end, and returns the state of each client.
func (s *muxChild) play() map[string]string {
	states := map[string]string{}
	for {
		line, err := s.events.ReadBytes('\n')
		if err != nil {
			s.exit(0, "")
			return states
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			s.t.Errorf("%.100q: %v", line, err)
		}
		switch was := states[e.Client]; {
		case e.Event == "open" && was == "":
			states[e.Client] = "open"
		case e.Event == "message" && was == "open":
		case e.Event == "close" && was == "open":
			states[e.Client] = "closed"
		default:
			s.t.Errorf("%s of client %s, which is %q", e.Event, e.Client, was)
		}
		answer := muxMessage(e.Client, "to one")
		switch rand.N(10) {
		case 0:
			answer = fmt.Sprintf(`{"close":%q,"code":3000}`+"\n", e.Client)
		case 1:
			answer = muxMessage(slices.Collect(maps.Keys(states)), strings.Repeat("to some", rand.N(20_000)))
		case 2, 3:
			answer = muxMessage("*", "to all") + "no order\n"
		}
		io.WriteString(s.far[1], answer) // fails if it has ended
	}
}
