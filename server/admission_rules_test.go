//go:build unix

package server_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"wspipe/cmd/wspipetest"
)

// Section 8 of the contract: which pages, and under which names of ours. The
// rules stand here a second time, in judge, in terms of what a request is meant
// to be. The server only sees its headers.

// kind is a kind of request.
type kind struct {
	method, path string // with %d for the number of the request
	upgrade      bool
	program      bool   // it starts a program
	status       int    // of the response, if admitted
	body         string // contained in the response
}

var kinds = []kind{
	{"GET", "/%d", true, true, 101, "in"},
	{"GET", "/%d.txt", false, false, 200, "a file"},
	{"HEAD", "/%d.txt", false, false, 200, ""},
	{"GET", "/page/%d", false, false, 200, "<html"},
	{"POST", "/page/%d", false, false, 405, "supports only GET and HEAD"},
	{"GET", "/run.sh/%d", false, true, 200, "answer to GET"},
	{"POST", "/run.sh/%d", false, true, 200, "answer to POST"},
}

// called is a name under which a client reaches the server.
type called struct {
	host     string // may be empty
	port     string // empty for none
	trusted  bool   // without --host
	loopback bool
	old      bool // HTTP/1.0, which needs no Host header
}

// namesFor returns names for the server at address ip.
func namesFor(t *testing.T, ip, port string) (list []called) {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	name = strings.ToLower(name)
	short, _, _ := strings.Cut(name, ".")
	for _, c := range []called{
		{host: ip, trusted: true, loopback: true},
		{host: "192.0.2.7", trusted: true},
		{host: "[2001:db8::7]", trusted: true},
		{host: "localhost", trusted: true, loopback: true},
		{host: "app.localhost", trusted: true, loopback: true},
		{host: name, trusted: true, loopback: strings.HasSuffix(name, "localhost")},
		{host: short + ".local", trusted: true},
		{host: "foreign.example"},
		{host: "listed.example"},
	} {
		list = append(list, c)
		c.port = port
		list = append(list, c)
	}
	return append(list, called{}, called{old: true})
}

func (c called) header() string { return strings.TrimSuffix(c.host+":"+c.port, ":") }

// webPage is the page that makes a request, as a browser describes it.
type webPage struct {
	origins    []string // values of Origin headers
	host, port string   // of its origin, or empty
	loopback   bool
	listed     string // the --origin that lists it
	site, dest string // Sec-Fetch-Site and Sec-Fetch-Dest
	why, allow string // the reason of a refusal, and its flag
}

const (
	// listedOrigin is listed by --origin.
	listedOrigin = "https://listed.example"
	// otherHost is the reason for pages of other origins.
	otherHost = "does not match"
)

// pageAt returns the page of an origin.
func pageAt(scheme, host, port string) webPage {
	origin := scheme + "://" + strings.TrimSuffix(host+":"+port, ":")
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	p := webPage{origins: []string{origin}, host: host, port: port, why: otherHost, allow: "--origin=" + origin}
	if scheme == "https" && host == "listed.example" {
		p.listed = listedOrigin // an entry without a port matches any port
	}
	p.loopback = host == "127.0.0.1" || host == "[::1]" || strings.HasSuffix(host, "localhost")
	return p
}

// pagesFor returns pages that reach the server under the name c.
func pagesFor(c called) []webPage {
	list := []webPage{
		{}, // not a browser
		{origins: []string{"null"}, listed: "null", why: "has no origin", allow: "--origin=null"},
		{origins: []string{"no origin at all"}, why: "malformed", allow: "--origin='*'"},
		{origins: []string{""}, why: "malformed", allow: "--origin='*'"},
		pageAt("https", "listed.example", ""),
		pageAt("http", "listed.example", ""),
		pageAt("http", "other.example", c.port),
		pageAt("http", "localhost", "3000"),
	}
	if c.host == "" {
		return list
	}
	same := pageAt("http", c.host, c.port).origins[0]
	return append(list,
		pageAt("http", c.host, c.port),
		webPage{origins: []string{listedOrigin, same}, why: "more than one Origin header", allow: "--origin='*'"},
		pageAt("http", c.host, "1"),
		pageAt("https", c.host, c.port),
		webPage{origins: []string{same + "/path"}, why: "malformed", allow: "--origin='*'"},
		webPage{origins: []string{same, same}, why: "more than one Origin header", allow: "--origin='*'"},
	)
}

// gateFlags are the flags for hosts and origins. Empty means not set.
type gateFlags struct{ host, origin string }

// asked is one request with its meaning.
type asked struct {
	number int
	kind   kind
	to     called
	from   webPage
}

func (q asked) path() string   { return fmt.Sprintf(q.kind.path, q.number) }
func (q asked) String() string { return q.kind.method + " " + q.path() }

// text returns the request as sent.
func (q asked) text() string {
	var b strings.Builder
	version, host := "HTTP/1.1", "Host: "+q.to.header()+"\r\n"
	if q.to.old {
		version, host = "HTTP/1.0", ""
	}
	fmt.Fprintf(&b, "%s %s %s\r\n%s", q.kind.method, q.path(), version, host)
	for _, origin := range q.from.origins {
		fmt.Fprintf(&b, "Origin: %s\r\n", origin)
	}
	if q.from.site != "" {
		fmt.Fprintf(&b, "Sec-Fetch-Site: %s\r\nSec-Fetch-Dest: %s\r\n", q.from.site, q.from.dest)
	}
	switch {
	case q.kind.upgrade:
		b.WriteString(wspipetest.OpeningFields + "\r\n")
	case q.kind.method == "POST":
		b.WriteString("Connection: close\r\nContent-Length: 4\r\n\r\nbody")
	default:
		b.WriteString("Connection: close\r\n\r\n")
	}
	return b.String()
}

// judge applies the rules to q. It returns which rules refuse q, and the flag that the refusal names.
func (f gateFlags) judge(q asked) (host, origin bool, flag string) {
	if f.origin == "*" || f.origin != "" && f.origin == q.from.listed {
		return false, false, ""
	}
	fromPage, runs := len(q.from.origins) > 0, q.kind.program || q.kind.method == "POST"
	knownTo := q.to.trusted || q.to.host == "" || q.to.host == f.host ||
		!fromPage && (q.kind.upgrade || q.to.host == "listed.example" && f.origin == listedOrigin)
	port := q.to.port
	if port == "" {
		port = "80"
	}
	foreign := fromPage
	switch {
	case q.from.host != "" && q.from.host == q.to.host && q.from.port == port, q.from.loopback && q.to.loopback:
		foreign = false
	case q.from.site == "cross-site", q.from.site == "same-site" && !q.to.loopback:
		foreign = q.kind.method == "POST" || q.from.dest != "document"
	}
	switch {
	case runs && foreign:
		flag = q.from.allow
	case !knownTo:
		flag = "--host=" + q.to.host
	}
	return !knownTo, runs && foreign, flag
}
