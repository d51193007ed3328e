package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http/httpproxy"

	"wspipe/bridge/wire"
)

// dialTimeout bounds an opening handshake, including name resolution.
const dialTimeout = 30 * time.Second

// dialer opens connections to one URL.
type dialer struct {
	Config
	header     http.Header
	hostHeader string // the Host header, if it is not the URL's
	tls        *tls.Config
	beforeRead func() // see netConn
	tracer     *connTracer
}

// newDialer reads the files that cfg names.
func newDialer(cfg Config, idle func()) (*dialer, error) {
	d := &dialer{Config: cfg, header: http.Header{}, beforeRead: idle, tls: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cfg.Insecure}}
	for _, h := range cfg.Headers {
		if d.header.Add(h.Name, h.Value); strings.EqualFold(h.Name, "Host") {
			d.hostHeader = h.Value
		}
	}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, cannotRead("CA certificates", cfg.CA, err)
		}
		if d.tls.RootCAs = x509.NewCertPool(); !d.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, cannotRead("CA certificates", cfg.CA, errors.New("no certificate in PEM"))
		}
	}
	if cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, cannotRead("certificate", cfg.Cert, err)
		}
		d.tls.Certificates = []tls.Certificate{pair}
	}
	return d, nil
}

// cannotRead returns the error for a file of Config, named what in the message.
func cannotRead(what, file string, err error) error {
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		file, err = failure.Path, failure.Err
	}
	return fmt.Errorf("cannot read %s %s: %w", what, file, err)
}

// dial does the opening handshake with address, which is d.URL with parameters, and offers
// protocols. The error is a *RefusedError if the server's answer opens no WebSocket.
func (d *dialer) dial(ctx context.Context, address string, protocols []string) (*websocket.Conn, *netConn, error) {
	var last atomic.Pointer[netConn] // a redirect opens another connection
	transport := &http.Transport{
		Proxy: d.proxy,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := d.dialNet(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			l := &netConn{Conn: wire.NewConn(conn, nil), beforeRead: d.beforeRead, ignoreWriteErrors: d.Resume}
			if l.ignoreWriteErrors {
				l.ReadOn()
			}
			if before := last.Swap(l); before != nil {
				before.Abort()
			}
			return l, nil
		},
		TLSClientConfig:   d.tls,
		DisableKeepAlives: true,
	}
	ws, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: eofTransport{d.tracer.transport(transport)}, CheckRedirect: checkRedirect, Timeout: dialTimeout},
		HTTPHeader:      d.header,
		Host:            d.hostHeader,
		Subprotocols:    protocols,
		CompressionMode: d.compressionMode(),
		OnPingReceived:  func(context.Context, []byte) bool { return last.Load().MayAnswer() },
	})
	if err == nil {
		ws.SetReadLimit(-1)
		return ws, last.Load(), nil
	}
	transport.CloseIdleConnections()
	if l := last.Load(); l != nil {
		l.Abort()
	}
	return nil, nil, d.dialError(response, err)
}

// compressionMode returns what to offer.
func (d *dialer) compressionMode() websocket.CompressionMode {
	if d.Compress {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionDisabled
}

// eofTransport replaces io.EOF of the upgraded connection, as TLS returns it, with another
// error, because the WebSocket library takes io.EOF for the end of the current message.
type eofTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l eofTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return response, err
	}
	if conn, ok := response.Body.(io.ReadWriteCloser); ok { // upgraded
		response.Body = eofConn{conn}
	}
	return response, nil
}

// eofConn is an upgraded connection whose Read does not return io.EOF.
type eofConn struct{ io.ReadWriteCloser }

// Read implements io.Reader.
func (c eofConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if err == io.EOF {
		err = wire.ErrDisconnected
	}
	return n, err
}

// proxy returns the proxy that the environment specifies, but none for ws:, because
// net/http would not use CONNECT as RFC 6455 section 4.1 requires.
func (d *dialer) proxy(r *http.Request) (*url.URL, error) {
	if d.Socket != "" || r.URL.Scheme != "https" {
		return nil, nil
	}
	return httpproxy.FromEnvironment().ProxyFunc()(r.URL)
}

// dialNet opens the network connection.
func (d *dialer) dialNet(ctx context.Context, network, addr string) (net.Conn, error) {
	var dialer net.Dialer
	if d.Socket != "" {
		return dialer.DialContext(ctx, "unix", d.Socket)
	}
	return dialer.DialContext(ctx, network, addr)
}

// checkRedirect allows redirects to the TLS port or another path of the same host. Other
// servers must not get our headers, which may have a token.
func checkRedirect(request *http.Request, via []*http.Request) error {
	from, to := via[len(via)-1].URL, request.URL
	secures := from.Scheme == "http" && to.Scheme == "https"
	if len(via) < 10 && from.Hostname() == to.Hostname() && (secures || from.Scheme == to.Scheme && from.Port() == to.Port()) {
		return nil
	}
	return http.ErrUseLastResponse
}

// RefusedError reports that the server answered the opening handshake with a response that
// opens no WebSocket.
type RefusedError struct {
	// URL is the requested URL, as returned by ShownURL.
	URL string
	// Status is the status of the response, such as 403.
	Status int
	// Text is the body of the response on one line, if it is plain text, or empty.
	Text string
	// Location is the target of a redirect, or empty.
	Location string

	retryAfter time.Duration
}

// Error implements error.
func (e *RefusedError) Error() string {
	text := fmt.Sprintf("cannot connect to %s: the server answered %d %s", e.URL, e.Status, http.StatusText(e.Status))
	if e.Location != "" {
		text += ", with a redirect to " + e.Location
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// dialError returns the error of a failed dial. response may be nil.
func (d *dialer) dialError(response *http.Response, err error) error {
	if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
		refused := &RefusedError{URL: ShownURL(d.URL), Status: response.StatusCode, retryAfter: retryAfter(response.Header)}
		if to, err := response.Location(); err == nil {
			refused.Location = singleLine(ShownURL(to))
		}
		kind := response.Header.Get("Content-Type") // Go's server omits it if a client speaks HTTP to its TLS port
		if (kind == "" || strings.HasPrefix(kind, "text/plain")) && response.Body != nil {
			body, _ := io.ReadAll(response.Body) // as much as can be read
			refused.Text = singleLine(string(body))
		}
		return refused
	}
	if response == nil {
		if failure, ok := errors.AsType[*url.Error](err); ok {
			err = failure.Err
			if failure.Timeout() {
				err = fmt.Errorf("no answer within %v", dialTimeout)
			}
		}
	}
	if failure, ok := errors.AsType[*net.OpError](err); ok && failure.Op == "dial" {
		err = failure.Err
	}
	if failure, ok := errors.AsType[*os.SyscallError](err); ok {
		err = failure.Err
	}
	where := ShownURL(d.URL)
	if d.Socket != "" {
		where = d.Socket
	}
	return fmt.Errorf("cannot connect to %s: %w", where, err)
}

// ShownURL returns u without its user, password, query and fragment, which may be secret.
func ShownURL(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery, shown.Fragment = nil, "", ""
	return shown.String()
}

// dialResult returns the result of a failed attempt to connect.
func dialResult(err error) result {
	e := result{status: StatusFailed, err: err, retry: true}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		switch e.retryAfter = refused.retryAfter; refused.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			e.retry = false
		}
	} else if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		e.retry = false
	}
	return e
}

// retryAfter returns the delay that Retry-After requests (RFC 9110 section 10.2.3), or 0.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
