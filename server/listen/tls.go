package listen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"

	"wspipe/server/watch"
)

// TLS names the PEM files of a server that speaks TLS. They are read again when
// they change, and by Listeners.Reload.
type TLS struct {
	// Cert has the certificate and those between it and its root.
	Cert string
	// Key has the certificate's private key.
	Key string
	// ClientCA, if set, has the roots that clients' certificates must come
	// from; then no client is admitted without one.
	ClientCA string
}

// watch reads the files for the first time.
func (f TLS) watch(log *slog.Logger) (*watch.Value[*tls.Config], error) {
	paths := []string{f.Cert, f.Key}
	if f.ClientCA != "" {
		paths = append(paths, f.ClientCA)
	}
	return watch.New(log, f.load, paths...)
}

// currentConfig returns the configuration of every listener. Each handshake uses
// what the files contain at its time; a connection keeps what it began with.
func currentConfig(current *watch.Value[*tls.Config]) *tls.Config {
	return &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Get(), nil },
	}
}

// load reads the files. The configuration has no ticket keys of its own, so
// sessions are resumed across changes; crypto/tls holds the client's certificate
// against the roots of the day then, too.
func (f TLS) load() (*tls.Config, error) {
	cert, err := readFile("certificate", f.Cert)
	if err != nil {
		return nil, err
	}
	key, err := readFile("key", f.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("use certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"}, // a WebSocket over HTTP/2 would be RFC 8441
	}
	if f.ClientCA == "" {
		return c, nil
	}
	roots, err := readFile("client CA", f.ClientCA)
	if err != nil {
		return nil, err
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("read client CA %s: it contains no certificates", f.ClientCA)
	}
	// Who has none is told so in HTTP, which people can read.
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c, nil
}

// readFile reads the file at path, which holds a what.
func readFile(what, path string) ([]byte, error) {
	content, err := watch.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", what, path, err)
	}
	return content, nil
}
