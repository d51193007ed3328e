package connect

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	"wspipe/bridge/trace"
)

// connTracer traces the connections of a client. It is nil if nobody wants that; then no
// connection has a tracer.
type connTracer struct {
	start time.Time
	emit  func(trace.Event)
}

// newConnTracer returns nil without Config.Trace.
func newConnTracer(cfg Config, terminal *localTerminal) *connTracer {
	if cfg.Trace == nil {
		return nil
	}
	stderr, _ := cfg.Stderr.(*os.File)
	onTerminal := stderr != nil && term.IsTerminal(int(stderr.Fd()))
	return &connTracer{start: time.Now(), emit: func(e trace.Event) {
		end := "\n"
		if onTerminal && terminal.isRaw() {
			end = "\r\n"
		}
		cfg.Trace(e.String() + end)
	}}
}

// transport returns a RoundTripper that uses base, and traces each connection above TLS.
func (c *connTracer) transport(base *http.Transport) http.RoundTripper {
	if c == nil {
		return base
	}
	return tracedTransport{base, c}
}

// tracedTransport makes one connection for each request, as Transport with
// DisableKeepAlives does.
type tracedTransport struct {
	*http.Transport
	*connTracer
}

// RoundTrip implements http.RoundTripper.
func (t tracedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if proxy, err := t.Proxy(r); proxy != nil || err != nil {
		return t.proxied(r)
	}
	transport := t.Transport.Clone()
	transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := t.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, tlsConfig(t.TLSClientConfig, addr))
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return newTracedNetConn(secure, t.newTracer()), nil
	}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := t.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return newTracedNetConn(conn, t.newTracer()), nil
	}
	return transport.RoundTrip(r)
}

// tlsConfig returns config for the server at addr.
func tlsConfig(config *tls.Config, addr string) *tls.Config {
	config = config.Clone()
	config.ServerName, _, _ = net.SplitHostPort(addr)
	return config
}

// proxied sends r through a proxy. Transport then has no hook above TLS before the response,
// so that the opening handshake is shown as Transport writes and parses it.
func (t tracedTransport) proxied(r *http.Request) (*http.Response, error) {
	tracer := t.newTracer()
	var head bytes.Buffer
	r.Clone(r.Context()).Write(&head)
	tracer.Feed(trace.FromClient, head.Bytes())
	response, err := t.Transport.RoundTrip(r)
	if err != nil {
		tracer.End()
		return response, err
	}
	head.Reset()
	fmt.Fprintf(&head, "%s %s\r\n", response.Proto, response.Status)
	response.Header.Write(&head)
	head.WriteString("\r\n")
	tracer.Feed(trace.FromServer, head.Bytes())
	if conn, ok := response.Body.(io.ReadWriteCloser); ok { // upgraded
		response.Body = &tracedConn{conn, tracer}
	}
	return response, nil
}

func (c *connTracer) newTracer() *trace.Tracer { return trace.New(c.start, c.emit) }

// tracedConn is a connection that a Tracer follows.
type tracedConn struct {
	io.ReadWriteCloser
	tracer *trace.Tracer
}

// Read implements io.Reader.
func (c *tracedConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	c.tracer.Feed(trace.FromServer, p[:n])
	return n, err
}

// Write implements io.Writer.
func (c *tracedConn) Write(p []byte) (int, error) {
	c.tracer.Feed(trace.FromClient, p)
	return c.ReadWriteCloser.Write(p)
}

// Close implements io.Closer.
func (c *tracedConn) Close() error {
	c.tracer.End()
	return c.ReadWriteCloser.Close()
}

// tracedNetConn is a tracedConn that is a net.Conn.
type tracedNetConn struct {
	net.Conn
	traced tracedConn
}

func newTracedNetConn(conn net.Conn, tracer *trace.Tracer) *tracedNetConn {
	return &tracedNetConn{conn, tracedConn{conn, tracer}}
}

// Read implements io.Reader.
func (c *tracedNetConn) Read(p []byte) (int, error) { return c.traced.Read(p) }

// Write implements io.Writer.
func (c *tracedNetConn) Write(p []byte) (int, error) { return c.traced.Write(p) }

// Close implements io.Closer.
func (c *tracedNetConn) Close() error { return c.traced.Close() }
