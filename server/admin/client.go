package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// timeout bounds a request.
const timeout = 10 * time.Second

// Client is a client of the socket of --admin.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the socket at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path, &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// ErrUnknownSession reports that the server has no session with this ID.
var ErrUnknownSession = errors.New("no such session")

// Sessions returns all sessions, oldest first.
func (c *Client) Sessions(ctx context.Context) (all []SessionStatus, err error) {
	resp, err := c.do(ctx, http.MethodGet, sessionsPath)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != jsonLines {
		return nil, c.foreign(resp)
	}
	for lines := json.NewDecoder(resp.Body); ; {
		var session SessionStatus
		switch err := lines.Decode(&session); {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read the sessions from %s: %w", c.socket, err)
		}
		all = append(all, session)
	}
}

// EndSession starts to end the session with this ID. It returns ErrUnknownSession if there is
// none.
func (c *Client) EndSession(ctx context.Context, id string) error {
	resp, err := c.do(ctx, http.MethodDelete, sessionsPath+"/"+url.PathEscape(id))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusNotFound:
		return ErrUnknownSession
	}
	return c.foreign(resp)
}

func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL, which is always the same
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		err = sys.Err
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.socket, err)
	}
	return resp, nil
}

// foreign returns the error for a response that does not come from Handler.
func (c *Client) foreign(resp *http.Response) error {
	return fmt.Errorf("%s is not the --admin socket of a wspipe server (it answers %s)", c.socket, resp.Status)
}
