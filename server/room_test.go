//go:build unix

package server_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
	"wspipe/server"
	"wspipe/server/param"
)

// Section 15 of the contract: one child for each room, with real children.

var withCookie = &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"secret=1"}}}

// rooms is a server of one child for each room. It prints its environment, a line "ready PID",
// and what it reads.
func rooms(by server.ShareBy) server.Config {
	cfg := shared(`env | grep -v '^_=' | sort; echo "ready $$"; exec cat`)
	cfg.Endpoint.ShareBy, cfg.Endpoint.Replay = by, 100
	return cfg
}

// enter dials url and returns the client, the environment of its child and its process ID.
func enter(t *testing.T, url string) (c *wspipetest.Client, env []string, pid int) {
	t.Helper()
	c = wspipetest.Dial(t, url, withCookie)
	for {
		line := c.Next()
		if id, ok := strings.CutPrefix(line, "ready "); ok {
			return c, env, atoi(t, id)
		}
		if !strings.HasPrefix(line, "PATH=") && !strings.HasPrefix(line, "PWD=") {
			env = append(env, line)
		}
	}
}

// TestRooms: which clients are in one room, and what the child of the room receives.
func TestRooms(t *testing.T) {
	t.Parallel()
	byPath, byQuery := server.ShareBy{Path: true}, server.ShareBy{Query: "room name"}
	for _, test := range []struct {
		by   server.ShareBy
		room string // what the child sees
		urls []string
	}{
		{server.ShareBy{}, "", []string{"", "blue", "red?room+name=x"}},
		{byPath, "PATH_INFO=/", []string{"", "?room=x", "?q&r"}},
		{byPath, "PATH_INFO=/blue", []string{"blue", "%62lue?room+name=x"}},
		{byPath, "PATH_INFO=/blue/", []string{"blue/"}},
		{byPath, "PATH_INFO=/a b/☃", []string{"a%20b/%E2%98%83"}},
		{byQuery, "QUERY_STRING=room+name=", []string{"", "?room+name=", "x?room+name&y", "?room=x", "?wspipe_size=80x24"}},
		{byQuery, "QUERY_STRING=room+name=a%26b+c", []string{"?room+name=a%26b+c", "p?x=1&room%20name=a%26b%20c&y", "q?%72oom+name=%61%26b%20c"}},
		{byQuery, "QUERY_STRING=room+name=a%3Bb", []string{"?room+name=a;b"}},
	} {
		s := serve(t, rooms(test.by))
		other, _, otherPid := enter(t, s.ws+"other?room+name=other")
		var first int
		for i, path := range test.urls {
			c, env, pid := enter(t, s.ws+path)
			if i == 0 {
				first = pid
			}
			if pid != first || (pid == otherPid) != (test.by == server.ShareBy{}) {
				t.Errorf("%v, %s: the child is %d; that of %q is %d, that of another room %d", test.by, path, pid, test.urls[0], first, otherPid)
			}
			want := []string{"GATEWAY_INTERFACE=CGI/1.1", test.room, "SCRIPT_NAME=/", "SERVER_SOFTWARE="}
			if test.by != (server.ShareBy{}) && !reflect.DeepEqual(env, want) {
				t.Errorf("%v, %s: the environment is %q, want %q", test.by, path, env, want)
			}
			c.Send("in the room")
			c.Expect("in the room")
		}
		if other.Send("other"); test.by != (server.ShareBy{}) { // nothing that was said in the other room
			other.Expect("other")
		}
	}
}

// TestRoomsOfAMux: each has its child, whose clients have their own environments.
func TestRoomsOfAMux(t *testing.T) {
	t.Parallel()
	cfg := mux(`while read -r line; do printf '{"to":"*","data":"%s|%s|%s"}\n' "$PATH_INFO" "$HTTP_COOKIE" "$(printf %s "$line" | tr -d '"\\\\')"; done`)
	cfg.Endpoint.ShareBy = server.ShareBy{Path: true}
	s := serve(t, cfg)
	for _, room := range []string{"/blue", "/red"} {
		c := wspipetest.Dial(t, s.ws+room[1:], withCookie)
		if got := c.Next(); !strings.HasPrefix(got, room+"||{event:open") || !strings.Contains(got, "client:1") && !strings.Contains(got, "HTTP_COOKIE:secret=1") {
			t.Errorf("%s: got %q", room, got)
		}
	}
}

// TestRoomNames: a name that is too long or ambiguous is refused, and nothing is started.
func TestRoomNames(t *testing.T) {
	t.Parallel()
	for by, paths := range map[server.ShareBy]map[string]int{
		{Path: true}: {
			strings.Repeat("x", 255): 101, strings.Repeat("x", 256): 400, strings.Repeat("%78", 255): 101, strings.Repeat("%E2%98%83", 85): 101, strings.Repeat("%E2%98%83", 86): 400,
		},
		{Query: "r"}: {
			"?r=" + strings.Repeat("%20", 256): 101, "?r=" + strings.Repeat("+", 257): 400, "?r=a&r=a": 400, "?r=a&%72=b": 400, "?r&x&r": 400, "?r=%zz": 400, "?x=%zz": 101,
			"?R=1&r=1": 101, strings.Repeat("x", 300): 101,
		},
		{}: {strings.Repeat("x", 300) + "?r=1&r=2": 101},
	} {
		cfg := rooms(by)
		cfg.Console = true
		s := serve(t, cfg)
		for path, want := range paths {
			if want == 400 {
				if resp, body := refused(t, s.ws+path, nil); resp.StatusCode != 400 || !strings.Contains(body, "256 bytes") {
					t.Errorf("%v, %s: got %d %q", by, path, resp.StatusCode, body)
				}
			}
			if v := s.rehearse(t, question{path: "/" + path}); v.Status != want {
				t.Errorf("%v, %s: a page is told %d, want %d", by, path, v.Status, want)
			}
		}
		s.describe(t, "/"+strings.Repeat("x", 300)+"?r=1&r=2")
		if log := s.log.String(); strings.Contains(log, "shared child started") {
			t.Errorf("a refused request has started a child: %s", log)
		}
	}
}

// TestRoomsAreCounted: by --maxforks and in what the console lists.
func TestRoomsAreCounted(t *testing.T) {
	t.Parallel()
	for by, urls := range map[server.ShareBy][]string{{Path: true}: {"/a%20b/c", "/x"}, {Query: "r"}: {"/?r=", "/?r=%2Fx"}} {
		cfg := rooms(by)
		cfg.MaxChildren, cfg.Console, cfg.Endpoint.Linger = 2, true, -1
		s := serve(t, cfg)
		var clients []*wspipetest.Client
		for _, u := range []string{urls[0], urls[0], urls[1]} {
			c, _, _ := enter(t, s.ws+u[1:])
			clients = append(clients, c)
		}
		if resp, body := refused(t, s.ws+"third?r=third", nil); resp.StatusCode != 429 || !strings.Contains(body, "--maxforks") {
			t.Errorf("%v: a third room: got %d %q", by, resp.StatusCode, body)
		}
		clients[2].Close(1000, "")
		s.log.Await(t, `"disconnect"`, 1)
		if got, want := s.enumerate(t).Rooms, []server.RoomInfo{{urls[0], 2}, {urls[1], 0}}; !reflect.DeepEqual(got, want) {
			t.Errorf("%v: the rooms are %v, want %v", by, got, want)
		}
		if got := s.describe(t, urls[0]).Endpoint; got.Clients != 2 || !reflect.DeepEqual(got.Rooms, s.enumerate(t).Rooms) || got.ShareBy != by.String() {
			t.Errorf("%v: got %+v", by, got)
		}
		name, _ := url.PathUnescape(urls[0])
		if by.Query != "" {
			name = ""
		}
		if got := s.records(t, "shared child started")[0]; got["endpoint"] != "/" || got["room"] != name {
			t.Errorf("%v: the log has %v", by, got)
		}
	}
}

// TestRoomsOfADirectory: two programs have rooms of the same name.
func TestRoomsOfADirectory(t *testing.T) {
	t.Parallel()
	const script = "#!/bin/sh\necho \"$$ $SCRIPT_NAME|$PATH_INFO\"\nexec cat\n"
	dir := wspipetest.Tree(t, map[string]string{"a.sh": script, "b.sh": script})
	s := serve(t, server.Config{Dir: dir, Console: true, Endpoint: server.Endpoint{Share: server.ShareBroadcast, ShareBy: server.ShareBy{Path: true}, Replay: 1, MaxMessage: 1 << 20}})
	pids := make(map[string]string)
	for _, path := range []string{"a.sh/blue", "a.sh/red", "b.sh/blue", "a.sh", "a.sh/blue"} {
		pid, place, _ := strings.Cut(dial(t, s.ws+path).Next(), " ")
		if _, err := strconv.Atoi(pid); err != nil || place != "/"+strings.Replace(path, ".sh", ".sh|", 1) || pids[path] != "" && pids[path] != pid {
			t.Errorf("%s: got %s %s, before %q", path, pid, place, pids[path])
		}
		pids[path] = pid
	}
	if got, want := s.describe(t, "/b.sh/x").Endpoint, []server.RoomInfo{{"/b.sh/blue", 1}}; !reflect.DeepEqual(got.Rooms, want) || got.Clients != 0 {
		t.Errorf("the rooms of /b.sh are %v, want %v", got.Rooms, want)
	}
	if want := []server.RoomInfo{{"/a.sh", 1}, {"/a.sh/blue", 2}, {"/a.sh/red", 1}, {"/b.sh/blue", 1}}; !reflect.DeepEqual(s.enumerate(t).Rooms, want) {
		t.Errorf("the rooms are %v, want %v", s.enumerate(t).Rooms, want)
	}
}

// TestRoomsEndAlone: the replay and the linger of one room do not depend on another.
func TestRoomsEndAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, rooms(server.ShareBy{Path: true}))
	red, _, redPid := enter(t, s.ws+"red")
	blue, _, bluePid := enter(t, s.ws+"blue")
	red.Send("in red")
	red.Expect("in red")
	blue.Close(1000, "")
	awaitGone(t, bluePid)
	again, _, pid := enter(t, s.ws+"red")
	if again.Expect("in red"); pid != redPid {
		t.Errorf("the child is %d, want %d", pid, redPid)
	}
}

// TestRoomsOfAParameter: the rule of the parameter comes first, and its default names a room.
func TestRoomsOfAParameter(t *testing.T) {
	t.Parallel()
	host, err := param.Parse("host:word=here")
	if err != nil {
		t.Fatal(err)
	}
	cfg := shared(`echo "$$ $PARAM_host|$QUERY_STRING|$1"; exec cat`)
	cfg.Endpoint.Child.Args = append(cfg.Endpoint.Child.Args, "sh", "{host}")
	cfg.Endpoint.ShareBy, cfg.Endpoint.Replay, cfg.Endpoint.Params = server.ShareBy{Query: "host"}, 1, param.List{host}
	s := serve(t, cfg)
	for _, query := range []string{"?host=a%20b", "?host=", "?host=a&host=a"} {
		if resp, body := refused(t, s.ws+query, nil); resp.StatusCode != 400 || !strings.Contains(body, "host") || strings.Contains(body, "256") {
			t.Errorf("%s: got %d %q", query, resp.StatusCode, body)
		}
	}
	var first string
	for query, want := range map[string]string{"": "here", "?host=here&x": "here", "?host=there": "there"} {
		pid, got, _ := strings.Cut(dial(t, s.ws+query).Next(), " ")
		if got != want+"|host="+want+"|"+want {
			t.Errorf("%s: got %q", query, got)
		}
		if want == "here" && first == "" {
			first = pid
		} else if (pid == first) != (want == "here") {
			t.Errorf("%s: the child is %s, that of the default %s", query, pid, first)
		}
	}
}
