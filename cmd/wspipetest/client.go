package wspipetest

import (
	"context"
	"errors"
	"testing"

	"github.com/coder/websocket"
)

// Client is a WebSocket client that fails its test.
type Client struct {
	*websocket.Conn
	// Ctx bounds a broken test.
	Ctx context.Context

	t testing.TB
}

// Dial connects to url; opt may be nil. The connection is closed with the test.
func Dial(t testing.TB, url string, opt *websocket.DialOptions) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*Patience)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, url, opt)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	return &Client{Conn: conn, Ctx: ctx, t: t}
}

// Send sends text messages.
func (c *Client) Send(messages ...string) {
	c.t.Helper()
	for _, m := range messages {
		if err := c.Write(c.Ctx, websocket.MessageText, []byte(m)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// Next returns the next message.
func (c *Client) Next() string {
	c.t.Helper()
	_, p, err := c.Read(c.Ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(p)
}

// Expect reads as many messages as it is given, which must be these.
func (c *Client) Expect(messages ...string) {
	c.t.Helper()
	for _, want := range messages {
		if got := c.Next(); got != want {
			c.t.Fatalf("got message %q, want %q", got, want)
		}
	}
}

// Rest reads to the close frame, which must come.
func (c *Client) Rest() (messages []string, end websocket.CloseError) {
	c.t.Helper()
	for {
		_, p, err := c.Read(c.Ctx)
		if err == nil {
			messages = append(messages, string(p))
			continue
		}
		end, ok := errors.AsType[websocket.CloseError](err)
		if !ok {
			c.t.Fatalf("the connection ended without a close frame: %v", err)
		}
		return messages, end
	}
}

// ExpectEnd reads to the close frame, which must have this code and reason,
// and returns the messages before it.
func (c *Client) ExpectEnd(code websocket.StatusCode, reason string) []string {
	c.t.Helper()
	messages, end := c.Rest()
	if want := (websocket.CloseError{Code: code, Reason: reason}); end != want {
		c.t.Errorf("closed with %v, want %v", end, want)
	}
	return messages
}
