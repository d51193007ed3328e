package server

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"wspipe/process"
	"wspipe/server/access"
)

// Where the console's page asks what it is about to talk to, every few seconds
// if others may be there, and what else there is, which costs more to answer.
const (
	endpointPath  = consolePrefix + "endpoint"
	endpointsPath = consolePrefix + "endpoints"
)

// description is what is said of the one that was asked about.
type description struct {
	Version  string        `json:"version"`
	Endpoint *endpointInfo `json:"endpoint"` // nil if there is none
}

// enumeration is what is said of all.
type enumeration struct {
	Up    string   `json:"up"`        // from the directory that asks to our root
	Paths []string `json:"endpoints"` // none of COMMAND, which has all paths
	More  bool     `json:"more"`      // Paths may not be all
}

// endpointInfo is what a WebSocket gets.
type endpointInfo struct {
	Path         string   `json:"path"` // without PATH_INFO, escaped like those of enumeration
	Program      string   `json:"program"`
	Framing      string   `json:"framing"`
	PTY          bool     `json:"pty"`
	LineBuffered bool     `json:"lineBuffered"`
	Share        string   `json:"share"`
	ReadOnly     bool     `json:"readonly"`
	Clients      int      `json:"clients"` // of the shared child that runs now
	Resume       int64    `json:"resume"`  // in milliseconds; 0 is off
	Subprotocols []string `json:"subprotocols"`
	MaxMessage   int64    `json:"maxMessage"` // 0 is no bound
	Once         bool     `json:"once"`
}

// describe answers what the endpoint in the parameter path is.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "the endpoint description"); why != nil {
		return why
	}
	_, version, _ := strings.Cut(s.cfg.Software, "/")
	one := description{Version: version}
	if u := targetOf(r); u != nil {
		if p := s.endpoint(u); p != nil {
			one.Endpoint = s.infoOf(p)
		}
	}
	writeJSON(w, one)
	return nil
}

// enumerate answers which endpoints there are.
func (s *Server) enumerate(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "the list of endpoints"); why != nil {
		return why
	}
	dir, _, _ := ownPath(r.URL.Path)
	all := enumeration{Up: "./" + strings.Repeat("../", strings.Count(dir, "/")-1), Paths: []string{}}
	if s.dir != nil {
		names, more := s.dir.list()
		for _, name := range names {
			all.Paths = append(all.Paths, escapePath(name))
		}
		all.More = more
	}
	for _, e := range s.routes() {
		all.Paths = append(all.Paths, escapePath(e.pattern))
	}
	writeJSON(w, all)
	return nil
}

func (s *Server) infoOf(p *program) *endpointInfo {
	e := p.endpoint
	return &endpointInfo{
		Path:         escapePath(p.url()),
		Program:      filepath.Base(p.path),
		Framing:      e.Framing.String(),
		PTY:          e.Child.Terminal == process.FullTerminal,
		LineBuffered: e.Child.Terminal == process.StdoutTerminal,
		Share:        map[Share]string{ShareBroadcast: "broadcast", ShareMux: "mux"}[e.Share],
		ReadOnly:     e.readOnly(),
		Clients:      s.children.count(childKey{endpoint: p.endpoint, path: p.url()}),
		Resume:       e.Resume.Milliseconds(),
		Subprotocols: append([]string{}, e.Subprotocols...),
		MaxMessage:   max(0, e.MaxMessage),
		Once:         s.cfg.Once,
	}
}

// escapePath returns path as it stands in a URL.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
