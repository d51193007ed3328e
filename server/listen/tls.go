package listen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"

	"wspipe/server/watch"
)

// TLS names the PEM files for TLS. They are read again when they change, and by
// Listeners.Reload.
type TLS struct {
	// Cert has the certificate and its intermediate certificates.
	Cert string
	// Key has the private key of the certificate.
	Key string
	// ClientCA has the root certificates that verify the certificates of clients. If it is
	// not empty, clients need a certificate.
	ClientCA string
}

// watch reads the files and returns a value that is reloaded when they change.
func (f TLS) watch(log *slog.Logger) (*watch.Value[*tls.Config], error) {
	paths := []string{f.Cert, f.Key}
	if f.ClientCA != "" {
		paths = append(paths, f.ClientCA)
	}
	return watch.New(log, f.load, paths...)
}

// currentConfig returns the configuration of a listener. Each handshake uses the current
// contents of the files; an established connection keeps its configuration.
func currentConfig(current *watch.Value[*tls.Config]) *tls.Config {
	return &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Get(), nil },
	}
}

// load reads the files. The configuration has no session ticket keys of its own, so TLS
// sessions can be resumed after a reload; crypto/tls then verifies the client's certificate
// against the current roots.
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
	// A client without a certificate is refused in HTTP, with a message that people can read.
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c, nil
}

// readFile reads the file at path. what describes its content in the error.
func readFile(what, path string) ([]byte, error) {
	content, err := watch.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", what, path, err)
	}
	return content, nil
}
