//go:build unix

package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
	"wspipe/process"
	"wspipe/server"
)

// --share=mux with real children.

// mux returns the Config of a server with --share=mux whose child runs script.
func mux(script string) server.Config {
	cfg := shared(script)
	cfg.Endpoint.Share = server.ShareMux
	return cfg
}

// reflector is a script that sends each event to all clients, as text. A message that begins with "do "
// has lines that it prints.
const reflector = `while IFS= read -r e; do
	case $e in
	*'"data":"do '*) e=${e#*\"do }; printf '%s\n' "${e%??}" | tr -d '\\';;
	*) printf '%s\n' "$e" | sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/{"to":"*","data":"&"}/';;
	esac
done`

// told is an event, as reflector sends it.
type told struct {
	Event, Client, Data string
	Code                int
	Env                 map[string]string
}

func nextTold(t *testing.T, c *wspipetest.Client) (e told) {
	t.Helper()
	text := c.Next()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return e
}

// TestMuxEnvironment: an open event has the variables of the client's request, and the child has those
// that are the same for all clients.
func TestMuxEnvironment(t *testing.T) {
	t.Parallel()
	const script = `env | sort >&2; ` + reflector
	cfg := mux(script)
	cfg.Endpoint.SetEnv, cfg.Software, cfg.Endpoint.Child.Terminal = []string{"SET=ours", "REMOTE_HOST=ours"}, "wspipe/test", process.StdoutTerminal
	cfg.Endpoint.Subprotocols = []string{"chat"}
	s := serve(t, cfg)
	opt := &websocket.DialOptions{HTTPHeader: http.Header{"X-Me": {`"first"`}, "Proxy": {"evil"}}, Subprotocols: []string{"chat"}}
	a := wspipetest.Dial(t, s.ws+"room?name=ada&wspipe_size=10x10", opt)
	e := nextTold(t, a)
	for name, want := range map[string]string{"QUERY_STRING": "name=ada", "PATH_INFO": "/room", "HTTP_X_ME": `"first"`, "REMOTE_ADDR": "127.0.0.1",
		"WEBSOCKET_PROTOCOL": "chat", "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/", "REMOTE_USER": ""} {
		if got, ok := e.Env[name]; !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"PATH", "SET", "REMOTE_HOST", "TERM", "NO_COLOR", "HTTP_PROXY"} {
		if got, ok := e.Env[name]; ok {
			t.Errorf("%s is %q", name, got)
		}
	}
	if len(e.Env["UNIQUE_ID"]) != 32 || e.Event != "open" || e.Client != "1" {
		t.Errorf("%+v", e)
	}
	b := dial(t, s.ws+"?name=bob")
	if e := nextTold(t, b); e.Client != "2" || e.Env["QUERY_STRING"] != "name=bob" || e.Env["WEBSOCKET_PROTOCOL"] != "" {
		t.Errorf("%+v", e)
	}
	s.log.Await(t, `"line":"TERM=`, 1)
	var env []string
	for _, r := range s.records(t, "stderr") {
		env = append(env, r["line"].(string))
	}
	env = slices.DeleteFunc(env, func(pair string) bool { // a shell adds PWD and others
		return strings.HasPrefix(pair, "PATH=") || strings.HasPrefix(pair, "PWD=") || strings.HasPrefix(pair, "_=") || strings.HasPrefix(pair, "SHLVL=") || strings.HasPrefix(pair, "OLDPWD=")
	})
	if want := strings.Fields("GATEWAY_INTERFACE=CGI/1.1 NO_COLOR=1 REMOTE_HOST=ours SCRIPT_NAME=/ SERVER_SOFTWARE=wspipe/test SET=ours TERM=dumb"); !slices.Equal(env, want) {
		t.Errorf("the child's environment is %q, want %q", env, want)
	}
	for i, r := range s.records(t, "connect") {
		if r["client"] != fmt.Sprint(i+1) {
			t.Errorf("the log calls client %d %v", i+1, r["client"])
		}
	}
}

// TestMuxExitIsReportedToAll: all clients get the exit status. The next client starts another child, which
// counts its clients from 1.
func TestMuxExitIsReportedToAll(t *testing.T) {
	t.Parallel()
	for code, cfg := range map[websocket.StatusCode]server.Config{1000: mux(""), 4003: mux("")} {
		cfg.Endpoint.ExitCloseCode, cfg.Endpoint.Linger = code != 1000, -1
		cfg.Endpoint.Child = sh(`echo no order; n=0; while read -r e && [ $n -lt 3 ]; do n=$((n+1)); done; printf '{"to":"*","data":"%s"}\nhalf a line' $n; exit 3`)
		s := serve(t, cfg)
		for range 3 {
			a, b := dial(t, s.ws), dial(t, s.ws)
			s.log.Await(t, `"connect"`, 2)
			a.Send("one", "two")
			for _, c := range []*wspipetest.Client{a, b} {
				if got := c.ExpectEnd(code, "exit 3"); !slices.Equal(got, []string{"3"}) {
					t.Errorf("got %q before the end", got)
				}
			}
		}
		s.log.Await(t, `"shared child ended"`, 3)
		s.log.Await(t, `"disconnect"`, 6)
		ids := map[any]int{}
		for _, r := range s.records(t, "disconnect") {
			ids[r["client"]]++
		}
		if len(ids) != 2 || ids["1"] != 3 {
			t.Errorf("clients were called %v", ids)
		}
		for _, r := range s.records(t, "invalid line from child dropped") {
			if r["cause"] != "not a JSON object" || r["position"] != 0.0 || r["length"] != 8.0 {
				t.Errorf("logged %v", r)
			}
		}
		if n := len(s.records(t, "further invalid lines from child dropped")); n != 3 {
			t.Errorf("%d records of further lines, want 3", n)
		}
	}
}

// TestMuxLife: the child of a mux is told of the end of its clients.
func TestMuxLife(t *testing.T) {
	t.Parallel()
	t.Run("linger", func(t *testing.T) {
		t.Parallel()
		for linger, id := range map[time.Duration]string{0: "1", -1: "2"} {
			cfg := mux(reflector)
			cfg.Endpoint.Linger = linger
			s := serve(t, cfg)
			a := dial(t, s.ws)
			nextTold(t, a)
			a.Close(1000, "")
			s.log.Await(t, `"disconnect"`, 1)
			b := dial(t, s.ws)
			e := nextTold(t, b)
			if linger != 0 && e.Event == "close" { // it may arrive just before b
				e = nextTold(t, b)
			}
			if e.Event != "open" || e.Client != id {
				t.Errorf("linger %v: the child was told %+v", linger, e)
			}
		}
	})
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		cfg := mux(`trap '' INT TERM; while read -r e; do case $e in *'"close","client":"1","code":3333}') exit 7;; esac; done`)
		cfg.Once, cfg.Endpoint.Child.Grace = true, process.WaitForever // or SIGKILL may come first
		s := serve(t, cfg)
		dial(t, s.ws).Close(3333, "")
		if status := <-s.status; status != 7 {
			t.Errorf("status %d: the child was not told of the end", status)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		t.Parallel()
		cfg := mux(`trap '' INT TERM; echo "{\"to\":\"*\",\"data\":\"$$\"}"; while read -r e; do echo "{\"to\":\"*\",\"data\":\"$$\"}"; echo "$e" >&2; done; while :; do sleep 1000; done`)
		s := serve(t, cfg)
		a, b := dial(t, s.ws), dial(t, s.ws)
		b.Next()
		pid := atoi(t, a.Next())
		s.stop()
		a.ExpectEnd(1001, "server shutting down")
		b.ExpectEnd(1001, "server shutting down")
		if status := <-s.status; status != 0 || syscall.Kill(-pid, 0) == nil {
			t.Errorf("status %d, or the child outlives the server", status)
		}
		for _, id := range []string{"1", "2"} {
			s.log.Await(t, `\"close\",\"client\":\"`+id+`\",\"code\":1001}`, 1)
		}
	})
}

// TestMuxWithAStuckChild: clients that fill its stdin can disconnect, and after the last one it is
// stopped.
func TestMuxWithAStuckChild(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]server.Config{"mux": mux(`exec sleep 1000`), "broadcast": shared(`exec sleep 1000`)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, cfg)
			var clients []*wspipetest.Raw
			var flooding sync.WaitGroup
			for range 3 {
				c := wspipetest.DialRaw(t, s.ws)
				clients = append(clients, c)
				flooding.Go(func() { // ends when it is blocked
					c.SetWriteDeadline(time.Now().Add(time.Second))
					for c.Frame(fin|opText, make([]byte, 100_000)) == nil {
					}
				})
			}
			flooding.Wait()
			clients = append(clients, wspipetest.DialRaw(t, s.ws)) // the child of a mux does not see them
			s.log.Await(t, `"connect"`, 4)
			for _, c := range clients {
				c.TCP().SetLinger(0)
				c.Close()
			}
			s.log.Await(t, `"code":1006`, 4)
			s.log.Await(t, `"shared child ended"`, 1)
			wspipetest.Eventually(t, "nobody is counted", s.unused)
		})
	}
}

// TestMuxChannels: clients with v1.wspipe and with the Kubernetes protocols work.
func TestMuxChannels(t *testing.T) {
	t.Parallel()
	for _, protocol := range channel.Protocols {
		s := serve(t, mux(reflector))
		c := dialChannels(t, s.ws, protocol)
		c.say(channel.Stdin, "hel")
		c.say(channel.Control, `{"type":"signal","signal":"KILL"}`)
		c.say(channel.Stdin, "lo\n"+`do {"close":"1"}`+"\n")
		got := c.rest()
		lines := strings.Split(got.on[channel.Stdout], "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], `"open"`) || !strings.HasSuffix(lines[1], `"data":"hello"}`) || lines[2] != "" {
			t.Errorf("%s: stdout %q", protocol, lines)
		}
		if got.end != (websocket.CloseError{Code: 1000}) || !strings.Contains(got.on[channel.Error], `"Success"`) {
			t.Errorf("%s: %v, status %s", protocol, got.end, got.on[channel.Error])
		}
		s.log.Await(t, `"client's message ignored"`, 1)
	}
}
