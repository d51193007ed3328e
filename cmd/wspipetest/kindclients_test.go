//go:build unix

package wspipetest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/bridge/channel"
	"wspipe/cmd/wspipetest"
)

// clientKinds are the kinds of client that TestKinds uses.
var clientKinds = []string{"websocket", channel.ProtocolWspipe, channel.ProtocolV5, "http", "events"}

// kindClient is a client of any kind. To all of them the output of a child is text.
type kindClient struct {
	t          *testing.T
	name       string
	url        string // http://...
	http       *http.Client
	opt        websocket.DialOptions
	readBuffer int  // of its connection, 0 for the default
	posts      bool // each message is a request of its own
	conn       *websocket.Conn
	body       *bufio.Reader // of a response that is being received
	resp       *http.Response
	newline    string // that a WebSocket needs
	input      *io.PipeWriter
	cancel     func() // disconnects
	mu         sync.Mutex
	local      net.Addr // of its first connection
	output     []byte   // received, and not returned yet
	side       map[byte]string
	trailer    string // the last event
	refusal    string // the body of a handshake's response
}

// newKindClient returns a client of a child of the given kind at path that is not connected.
func newKindClient(t *testing.T, s *wspipetest.Server, name, kind, path string) *kindClient {
	c := &kindClient{t: t, name: name, url: "http" + strings.TrimPrefix(s.WS, "ws") + strings.TrimPrefix(path, "/"), side: make(map[byte]string)}
	if kind == "resume" && name != "http" {
		c.url += "?wspipe_session=" + rand.Text()
	}
	if kind == "pty" {
		c.newline = "\n"
	}
	c.posts = kind == "broadcast" || kind == "mux" || kind == "resume" && name == "events"
	c.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil && c.local == nil {
			c.local = conn.LocalAddr()
		}
		if err == nil && c.readBuffer > 0 {
			err = conn.(*net.TCPConn).SetReadBuffer(c.readBuffer)
		}
		return conn, err
	}}}
	if name != "websocket" && !c.isHTTP() {
		c.opt.Subprotocols = []string{name}
	}
	c.opt.HTTPClient = c.http
	return c
}

func (c *kindClient) isHTTP() bool { return c.name == "http" || c.name == "events" }

// connect returns the status of the response, after the whole header. A client that sends has a
// body.
func (c *kindClient) connect(sends bool, header ...string) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), wspipetest.Lifetime)
	c.cancel = cancel
	c.t.Cleanup(cancel)
	if !c.isHTTP() {
		c.opt.HTTPHeader = headerOf(header)
		conn, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.url, "http"), &c.opt)
		if resp == nil {
			c.t.Fatal(err)
		}
		if err != nil {
			body, _ := io.ReadAll(resp.Body)
			c.refusal = string(body)
		} else {
			c.conn = conn
			conn.SetReadLimit(-1)
			c.cancel = func() { conn.CloseNow() }
			c.t.Cleanup(c.cancel)
		}
		return resp.StatusCode
	}
	method, body := "GET", io.Reader(nil)
	if sends && !c.posts {
		method = "POST"
		body, c.input = io.Pipe()
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = headerOf(header)
	if c.name == "events" {
		r.Header.Set("Accept", "text/event-stream")
	}
	if c.resp, err = c.http.Do(r); err != nil {
		c.t.Fatal(err)
	}
	c.body = bufio.NewReader(c.resp.Body)
	if c.resp.StatusCode/100 == 4 {
		body, _ := io.ReadAll(c.body)
		c.refusal = string(body)
	}
	return c.resp.StatusCode
}

func headerOf(lines []string) http.Header {
	h := make(http.Header)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

// send sends a message.
func (c *kindClient) send(message string) {
	c.t.Helper()
	var err error
	switch {
	case c.conn != nil && c.name == "websocket":
		err = c.conn.Write(c.t.Context(), websocket.MessageText, []byte(message+c.newline))
	case c.conn != nil:
		err = c.conn.Write(c.t.Context(), websocket.MessageBinary, append([]byte{channel.Stdin}, message+"\n"...))
	case c.posts:
		if status := c.post(message); status != http.StatusAccepted && status != http.StatusOK {
			err = fmt.Errorf("POST: status %d", status)
		}
	default:
		_, err = io.WriteString(c.input, message+"\n")
	}
	if err != nil {
		c.t.Error(err)
	}
}

// post sends a message as a request of its own.
func (c *kindClient) post(message string) (status int) {
	c.t.Helper()
	resp, err := c.http.Post(c.url, "text/plain", strings.NewReader(message))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// next returns the next line of output.
func (c *kindClient) next() string {
	c.t.Helper()
	for {
		if line, rest, found := bytes.Cut(c.output, []byte("\n")); found {
			c.output = rest
			return string(line)
		}
		if err := c.read(); err != nil {
			c.t.Fatalf("after %q: %v", c.output, err)
		}
	}
}

// read adds to the output.
func (c *kindClient) read() error {
	switch {
	case c.conn != nil:
		return c.readMessage()
	case c.name == "events":
		return c.readEvent()
	}
	p := make([]byte, 32<<10)
	n, err := c.body.Read(p)
	c.output = append(c.output, p[:n]...)
	return err
}

func (c *kindClient) readMessage() error {
	typ, p, err := c.conn.Read(c.t.Context())
	switch {
	case err != nil:
	case c.name != "websocket":
		if p[0] == channel.Stdout {
			c.output = append(c.output, p[1:]...)
		} else {
			c.side[p[0]] += string(p[1:])
		}
	case typ == websocket.MessageText:
		c.output = append(append(c.output, p...), '\n')
	default:
		c.output = append(c.output, p...)
	}
	return err
}

// readEvent reads an event as the standard says.
func (c *kindClient) readEvent() error {
	event, data := "", []string(nil)
	for {
		line, err := c.body.ReadString('\n')
		if err != nil {
			return err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case field == "event":
			event = value
		case field == "data", field == "data:":
			data = append(data, value)
		case line == "\n" && event == "close":
			c.trailer = data[0]
			return nil
		case line == "\n" && event == "binary":
			p, err := base64.StdEncoding.DecodeString(data[0])
			c.output = append(c.output, p...)
			return err
		case line == "\n" && data != nil:
			c.output = append(c.output, strings.Join(data, "\n")+"\n"...)
			return nil
		case line == "\n": // a comment
			return nil
		}
	}
}

// rest returns the output up to the end, in lines, and the end: close code and reason, and for
// plain requests status and exit status, or how the response ends instead.
func (c *kindClient) rest() (lines []string, end string) {
	c.t.Helper()
	var err error
	for err == nil {
		err = c.read()
	}
	switch {
	case c.conn != nil:
		closed, ok := errors.AsType[websocket.CloseError](err)
		if !ok {
			c.t.Errorf("the connection ended without a close frame: %v", err)
		}
		end = fmt.Sprintf("%d %s", closed.Code, closed.Reason)
		c.checkStatus(closed)
	case c.name == "events":
		var closed struct {
			Code   int
			Reason string
		}
		if err := json.Unmarshal([]byte(c.trailer), &closed); err != nil {
			c.t.Errorf("the last event is %q: %v", c.trailer, err)
		}
		end = fmt.Sprintf("%d %s", closed.Code, closed.Reason)
		if isExit := closed.Code == 1000 || closed.Code > 4002 && closed.Code < 4010; (isExit || closed.Code == 1011) != errors.Is(err, io.EOF) || isExit && closed.Reason != c.resp.Trailer.Get("Wspipe-Exit") {
			c.t.Errorf("after %s the response ends with %v and %v", c.trailer, err, c.resp.Trailer)
		}
	default:
		end = c.endOfBody(err)
	}
	for line := range bytes.Lines(c.output) {
		lines = append(lines, strings.TrimSuffix(string(line), "\n"))
	}
	c.output = nil
	return lines, end
}

// endOfBody returns the end of a plain response. The body of one that failed is a reason, and no
// output.
func (c *kindClient) endOfBody(err error) string {
	end := fmt.Sprint(c.resp.StatusCode)
	if c.resp.StatusCode != http.StatusOK {
		end += " " + strings.TrimPrefix(strings.TrimSuffix(string(c.output), "\n"), "wspipe: ")
		c.output = nil
	}
	if exit := c.resp.Header.Get("Wspipe-Exit") + c.resp.Trailer.Get("Wspipe-Exit"); exit != "" && !strings.HasSuffix(end, exit) {
		end += " " + exit
	}
	if !errors.Is(err, io.EOF) {
		end += " cut"
	}
	return end
}

// checkStatus checks that a client with channels has the end in their form, too.
func (c *kindClient) checkStatus(closed websocket.CloseError) {
	c.t.Helper()
	isExit := closed.Code == 1000 || closed.Code > 4002 && closed.Code < 4010
	exit, isStatus := strings.CutPrefix(closed.Reason, "exit ")
	switch c.name {
	case channel.ProtocolWspipe:
		want := `{"type":"exit","code":` + exit + `}`
		if signal, ok := strings.CutPrefix(closed.Reason, "signal "); ok {
			want = `{"type":"exit","signal":"` + signal + `"}`
		}
		if isExit && !strings.HasSuffix(c.side[channel.Control], want) {
			c.t.Errorf("closed with %v, control messages %q", closed, c.side[channel.Control])
		}
	case channel.ProtocolV5:
		var st channel.Status
		if err := json.Unmarshal([]byte(c.side[channel.Error]), &st); err != nil {
			c.t.Errorf("status %q: %v", c.side[channel.Error], err)
		}
		success := isExit && exit == "0" && isStatus
		if success != (st.Status == "Success") || !isExit && st.Message != closed.Reason ||
			isExit && isStatus && !success && (st.Details == nil || !slices.Contains(st.Details.Causes, channel.StatusCause{Reason: "ExitCode", Message: exit})) {
			c.t.Errorf("closed with %v, status %s", closed, c.side[channel.Error])
		}
	}
}
