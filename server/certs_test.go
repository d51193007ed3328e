//go:build unix

package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"testing"

	"wspipe/cmd/wspipetest"
)

// testCA is a certificate authority. file has its certificate.
type testCA struct {
	*wspipetest.CA
	file string
}

func newCA(t testing.TB) *testCA {
	t.Helper()
	ca := wspipetest.NewCA(t, "test CA")
	return &testCA{ca, ca.CertFile}
}

// issue writes commonName.pem and commonName.key to dir, for a server with these host names or for a
// client.
func (ca *testCA) issue(t testing.TB, dir, commonName string, hosts ...string) (certFile, keyFile string) {
	t.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return wspipetest.WriteCertificate(t, dir, commonName, ca.Issue(t, template))
}

// client returns a configuration that trusts ca and has the client certificate in these files, if any.
func (ca *testCA) client(t testing.TB, certAndKey ...string) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1"}
	if len(certAndKey) == 2 {
		pair, err := tls.LoadX509KeyPair(certAndKey[0], certAndKey[1])
		if err != nil {
			t.Fatal(err)
		}
		// Not Certificates, because a client would not send one from another authority.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}
