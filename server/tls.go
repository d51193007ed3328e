package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// newTLSConfig returns the configuration of every listener. Each handshake uses
// what the files hold at its time; a connection keeps what it began with.
func (s *Server) newTLSConfig() (*tls.Config, error) {
	files := *s.cfg.TLS
	paths := []string{files.Cert, files.Key}
	if files.ClientCA != "" {
		paths = append(paths, files.ClientCA)
	}
	current, err := watch(s.log, files.load, paths...)
	if err != nil {
		return nil, err
	}
	s.reloaders = append(s.reloaders, current.reload)
	return &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.get(), nil },
	}, nil
}

// load reads the files. The configuration has no ticket keys of its own, so
// sessions are resumed across changes; crypto/tls holds the client's certificate
// against the roots of the day then, too.
func (f TLS) load() (*tls.Config, error) {
	cert, err := readAs("certificate", f.Cert)
	if err != nil {
		return nil, err
	}
	key, err := readAs("key", f.Key)
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
	roots, err := readAs("client CA", f.ClientCA)
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

// readAs reads the file at path, which holds a what.
func readAs(what, path string) ([]byte, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", what, path, rootCause(err))
	}
	return content, nil
}
