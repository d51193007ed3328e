//go:build unix

package access

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

// clientCertificate returns a certificate of ca for a client with this subject.
func clientCertificate(t *testing.T, ca *wspipetest.CA, subject pkix.Name) tls.Certificate {
	t.Helper()
	return ca.Issue(t, &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// TestClientCertificate: a certificate is required, in addition to the other credentials.
func TestClientCertificate(t *testing.T) {
	ca := wspipetest.NewCA(t, "root")
	cert := clientCertificate(t, ca, pkix.Name{CommonName: "dave, the 2nd", Organization: []string{"Us"}})
	const daveDN = `CN=dave\, the 2nd,O=Us`
	for _, test := range []struct {
		name, kinds   string
		cert          *tls.Certificate
		password      string
		status        int
		why           string
		user, subject string
		identity      string
	}{
		{"none", "", nil, "", 403, "no client certificate; this server requires one (--sslca)", "", "", ""},
		{"none, but a password", "basic", nil, wspipetest.BasicPassword, 403, "no client certificate", "", "", ""},
		{"not verified", "", &cert, "", 403, "no client certificate", "", "", ""},
		{"not verified, and a password", "basic", &cert, wspipetest.BasicPassword, 403, "no client certificate", "", "", ""},
		{"right", "", &cert, "", 200, "", "", daveDN, "cert " + daveDN},
		{"right, without the password", "basic", &cert, "", 401, "no credentials (--basic-auth)", "", "", ""},
		{"right, with a wrong password", "basic", &cert, "wrong", 401, "wrong credentials (--basic-auth)", "", "", ""},
		{"right, with the password", "basic", &cert, wspipetest.BasicPassword, 200, "", wspipetest.BasicUser, daveDN, "user alice\ncert " + daveDN},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			verify := tls.VerifyClientCertIfGiven
			if strings.HasPrefix(test.name, "not verified") {
				verify = tls.RequestClientCert
			}
			p := throughTLS(t, ca, authBy(t, test.kinds), verify, test.cert, test.password)
			if p.status != test.status || !strings.Contains(p.body, test.why) {
				t.Errorf("got %d %q, want %d %q", p.status, p.body, test.status, test.why)
			}
			client := p.client
			if client.User != test.user || client.Subject != test.subject || client.Identity != test.identity {
				t.Errorf("the client is %+v", client)
			}
			expectNoSecret(t, p.passage)
		})
	}
}

// TestCertificatesWithoutSubject: they have different identities, too.
func TestCertificatesWithoutSubject(t *testing.T) {
	t.Parallel()
	ca := wspipetest.NewCA(t, "root")
	one, two := clientCertificate(t, ca, pkix.Name{}), clientCertificate(t, ca, pkix.Name{})
	a := throughTLS(t, ca, Auth{}, tls.RequireAndVerifyClientCert, &one, "").client
	b := throughTLS(t, ca, Auth{}, tls.RequireAndVerifyClientCert, &two, "").client
	if a.Subject != "" || a.Identity == b.Identity || !strings.HasPrefix(a.Identity, "cert ") {
		t.Errorf("they are %+v and %+v", a, b)
	}
}

// tlsPassage is a passage with its response.
type tlsPassage struct {
	passage
	status int
	body   string
}

// throughTLS sends a request to a gate that requires a certificate of ca.
func throughTLS(t *testing.T, ca *wspipetest.CA, auth Auth, verify tls.ClientAuthType, cert *tls.Certificate, password string) tlsPassage {
	t.Helper()
	server, roots := ca.Issue(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}), ca.Pool()
	g := newGate(t, Rules{Auth: auth, ClientCertificate: true}, false,
		&tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: verify, ClientCAs: roots})
	ours := &tls.Config{RootCAs: roots}
	if cert != nil {
		ours.Certificates = []tls.Certificate{*cert}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: ours}}
	req, err := http.NewRequest("GET", "https://"+g.addr.String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		req.SetBasicAuth(wspipetest.BasicUser, password)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return tlsPassage{<-g.seen, resp.StatusCode, string(body)}
}
