package static_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// closer is a WebSocket server that says hello and closes, with the code that
// the path names, and on a second connection of the same session with 1000.
type closer struct {
	*httptest.Server
	mu       sync.Mutex
	sessions map[string][]string // the wspipe_after of each connection
}

func newCloser(t *testing.T) *closer {
	c := &closer{sessions: make(map[string][]string)}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *closer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.Write(r.Context(), websocket.MessageText, []byte("hello"))
	session, after := r.FormValue("wspipe_session"), r.FormValue("wspipe_after")
	c.mu.Lock()
	c.sessions[session] = append(c.sessions[session], after)
	again := len(c.sessions[session]) > 1
	c.mu.Unlock()
	switch {
	case again:
		ws.Close(websocket.StatusNormalClosure, "exit 0")
	case code == 1006:
		ws.CloseNow()
	default:
		ws.Close(websocket.StatusCode(code), "why")
	}
}

// TestCloseCodes: after some codes another connection is made, which goes on
// with the same session after as many messages as came; all others are final.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	server := newCloser(t)
	p := newClientPage(t, serveClient(t, "cat"))
	p.run(`window.sockets = {}`)
	final := []int{1000, 1003, 1005, 1007, 1009, 1010, 1011, 1014, 3000, 4000, 4001, 4002, 4010, 4011, 4143, 4999}
	lost := []int{1001, 1002, 1006, 1008, 1012, 1013}
	for _, code := range append(final, lost...) {
		p.run(`sockets[%d] = watch(%q)`, code, fmt.Sprintf("%s/%d", server.URL, code))
	}
	origin := strings.Replace(server.URL, "http", "ws", 1)
	for _, code := range lost {
		end := []string{"reconnecting 1 after " + strconv.Itoa(code), "resumed", "message hello from " + origin, "close 1000 exit 0 true"}
		p.untilLog(fmt.Sprintf("sockets[%d]", code), append([]string{"open", "message hello from " + origin}, end...)...)
	}
	for _, code := range final {
		reason := "why"
		if code == 1005 { // an empty close frame
			reason = ""
		}
		p.untilLog(fmt.Sprintf("sockets[%d]", code), "open", "message hello from "+origin, fmt.Sprintf("close %d %s true", code, reason))
	}
	p.Until(`Object.values(sockets).every((s) => s.readyState === 3 && s.received === s.log.filter((l) => l.startsWith("message")).length)`)
	server.mu.Lock()
	defer server.mu.Unlock()
	counts := make(map[string]int)
	for session, afters := range server.sessions {
		counts[strings.Join(afters, ",")]++
		if len(session) < 22 {
			t.Errorf("the session's ID is %q", session)
		}
	}
	if counts[""] != len(final) || counts[",1"] != len(lost) || len(counts) != 2 {
		t.Errorf("asked to go on after: %v", counts)
	}
}
