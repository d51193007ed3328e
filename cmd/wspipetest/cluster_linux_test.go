package wspipetest_test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wspipe/cmd/wspipetest"
)

// broker is a message broker and the program of docs/deploy/cluster that uses it.
type broker struct {
	program   string
	tools     []string // that the program runs
	env       string   // of the program; %s is the broker's address
	command   func(dir, port string) []string
	restart   syscall.Signal // ends it so that it keeps its messages
	shared    bool           // its history is that of all nodes
	exactOnce bool           // it stores and sends no message twice
}

var brokers = map[string]broker{
	"redis": {
		program: "room-redis.py", tools: []string{"redis-server", "python3"}, env: "REDIS_URL=redis://%s",
		command: func(dir, port string) []string {
			return []string{"redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
		},
		restart: syscall.SIGKILL, shared: true,
	},
	"nats": {
		program: "room-nats.py", tools: []string{"nats-server", "python3"}, env: "NATS_URL=nats://%s",
		command: func(dir, port string) []string {
			return []string{"nats-server", "-js", "-sd", dir, "-a", "127.0.0.1", "-p", port}
		},
		restart: syscall.SIGKILL, shared: true, exactOnce: true,
	},
	"mosquitto": {
		program: "room-mosquitto.sh", tools: []string{"mosquitto", "mosquitto_sub", "mosquitto_pub"}, env: "MQTT_URL=mqtt://%s",
		command: func(dir, port string) []string {
			return []string{"sh", "-euc", `printf '%s\n' "listener $2 127.0.0.1" 'allow_anonymous true' 'persistence true' "persistence_location $1/" \
				"user $(id -un)" >"$1/conf"; exec mosquitto -c "$1/conf"`, "sh", dir, port}
		},
		restart: syscall.SIGTERM,
	},
}

// TestClusterRooms: with each broker, two nodes show the messages of two writers in
// the same order and none is lost while the broker restarts.
func TestClusterRooms(t *testing.T) {
	t.Parallel()
	for name, b := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t, b)
			nodes := []*wspipetest.Server{c.startNode("a"), c.startNode("b")}
			var readers, writers []*wspipetest.Client
			for _, node := range nodes {
				readers = append(readers, dial(t, node.WS+"blue"))
				writers = append(writers, dial(t, node.WS+"blue"))
			}
			c.awaitSubscribers(writers[0], readers...)
			const each = 40
			for n := range each {
				for i, w := range writers {
					w.Send(fmt.Sprintf("writer %d message %d", i, n))
				}
				if n == each/2 {
					c.restartBroker()
				}
			}
			got := [2][]string{c.collect(readers[0], 2*each), c.collect(readers[1], 2*each)}
			if b.exactOnce && len(got[0]) != 2*each {
				t.Errorf("got %d messages, want %d: %q", len(got[0]), 2*each, got[0])
			}
			if b.shared && !slices.Equal(got[0], got[1]) {
				t.Errorf("different histories:\n%q\n%q", got[0], got[1])
			}
			t.Logf("%d and %d of %d messages", len(got[0]), len(got[1]), 2*each)
			order := [2][]string{firsts(got[0]), firsts(got[1])}
			if !slices.Equal(order[0], order[1]) {
				t.Errorf("different orders:\n%q\n%q", order[0], order[1])
			}
			for i := range writers {
				var want []string
				for n := range each {
					want = append(want, fmt.Sprintf("writer %d message %d", i, n))
				}
				got := slices.DeleteFunc(slices.Clone(order[0]), func(m string) bool { return !strings.HasPrefix(m, fmt.Sprintf("writer %d ", i)) })
				if !slices.Equal(got, want) {
					t.Errorf("of writer %d came %q", i, got)
				}
			}
			c.testKilledNode(nodes, got[1])
		})
	}
}

// testKilledNode: without node a, the room goes on at b and at a new node c.
func (c *cluster) testKilledNode(nodes []*wspipetest.Server, history []string) {
	nodes[0].Signal(syscall.SIGKILL)
	nodes[0].Wait()
	late := dial(c.t, nodes[1].WS+"blue")
	late.Expect(history[len(history)-replay:]...)
	added := dial(c.t, c.startNode("c").WS+"blue")
	if c.broker.shared {
		added.Expect(history[len(history)-replay:]...)
	} else {
		c.awaitSubscribers(late, added)
	}
	late.Send("from b")
	for added.Next() != "from b" {
	}
	added.Send("from c")
	for late.Next() != "from c" {
	}
}

// replay is that of the command lines in the programs, and their history.
const replay = 50

// firsts returns the messages without those that came before.
func firsts(messages []string) (all []string) {
	seen := map[string]bool{}
	for _, m := range messages {
		if !seen[m] {
			all = append(all, m)
		}
		seen[m] = true
	}
	return all
}

// cluster is a broker and nodes that run its program.
type cluster struct {
	t       *testing.T
	broker  broker
	dir     string
	address string
	cmd     *exec.Cmd
	ended   <-chan struct{}
}

func startCluster(t *testing.T, b broker) *cluster {
	t.Helper()
	for _, tool := range b.tools {
		need(t, tool)
	}
	c := &cluster{t: t, broker: b, dir: t.TempDir(), address: freeAddress(t)}
	c.startBroker()
	return c
}

func (c *cluster) startBroker() {
	c.t.Helper()
	_, port, _ := net.SplitHostPort(c.address)
	args := c.broker.command(c.dir, port)
	args[0] = need(c.t, args[0])
	c.cmd = exec.Command(args[0], args[1:]...)
	c.cmd.Env = append(c.cmd.Environ(), "PATH=/usr/sbin:/usr/bin:/bin")
	c.ended = runUntilTestEnds(c.t, c.cmd)
	until(c.t, "the broker listens", func() bool { return canDial("tcp", c.address) })
}

func (c *cluster) restartBroker() {
	c.t.Helper()
	c.cmd.Process.Signal(c.broker.restart)
	<-c.ended
	c.startBroker()
}

// startNode starts wspipe with the command line that stands in the program.
func (c *cluster) startNode(name string) *wspipetest.Server {
	c.t.Helper()
	program := filepath.Join("../../docs/deploy/cluster", c.broker.program)
	_, line, _ := strings.Cut(read(c.t, program), "    wspipe ")
	line, _, _ = strings.Cut(line, "\n")
	args := strings.Fields(line)
	env, _, _ := strings.Cut(c.broker.env, "=")
	i := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--setenv="+env+"=") })
	if i < 0 || !slices.Contains(args, fmt.Sprintf("--replay=%d", replay)) {
		c.t.Fatalf("%s does not say how to run wspipe", program)
	}
	args[i] = "--setenv=" + fmt.Sprintf(c.broker.env, c.address)
	args[len(args)-1] = program
	return wspipetest.Start(c.t, append([]string{"--setenv=NODE=" + name}, args...)...)
}

// awaitSubscribers returns when a message of writer reaches all readers: before that,
// a broker without history may not know their nodes.
func (c *cluster) awaitSubscribers(writer *wspipetest.Client, readers ...*wspipetest.Client) {
	c.t.Helper()
	for _, r := range readers {
		got := make(chan struct{})
		go func() { // ends with a message, or with the connection
			defer close(got)
			r.Read(r.Ctx)
		}()
		until(c.t, "the node is subscribed", func() bool {
			writer.Send("probe")
			select {
			case <-got:
				return true
			case <-time.After(10 * time.Millisecond): // the next probe
				return false
			}
		})
	}
	writer.Send("ready")
	for _, r := range readers {
		for r.Next() != "ready" {
		}
	}
}

// collect returns the messages of writers, until n different ones have come.
func (c *cluster) collect(r *wspipetest.Client, n int) (all []string) {
	c.t.Helper()
	for different := map[string]bool{}; len(different) < n; {
		if m := r.Next(); strings.HasPrefix(m, "writer") {
			all, different[m] = append(all, m), true
		}
	}
	return all
}
