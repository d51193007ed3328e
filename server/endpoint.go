package server

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"wspipe/process"
	"wspipe/server/access"
)

// The paths of the description of one endpoint, which the console requests every few seconds if
// the child is shared, and of the list of endpoints, which takes longer.
const (
	endpointPath  = consolePrefix + "endpoint"
	endpointsPath = consolePrefix + "endpoints"
)

// description is the response of describe.
type description struct {
	Version  string        `json:"version"`
	Endpoint *endpointInfo `json:"endpoint"` // nil if the path has none
}

// enumeration is the response of enumerate.
type enumeration struct {
	Up    string   `json:"up"`        // the relative URL of the server's root
	Paths []string `json:"endpoints"` // empty for COMMAND, which has all paths
	More  bool     `json:"more"`      // there may be further endpoints
	Rooms []room   `json:"rooms"`     // the running ones of all endpoints
}

// endpointInfo describes an endpoint.
type endpointInfo struct {
	Path         string   `json:"path"` // without PATH_INFO, escaped like those of enumeration
	Program      string   `json:"program"`
	Framing      string   `json:"framing"`
	PTY          bool     `json:"pty"`
	LineBuffered bool     `json:"lineBuffered"`
	Share        string   `json:"share"`
	ShareBy      string   `json:"shareBy"` // path, query:NAME, or empty
	ReadOnly     bool     `json:"readonly"`
	Clients      int      `json:"clients"` // of the running shared child
	Rooms        []room   `json:"rooms"`   // the running ones
	Resume       int64    `json:"resume"`  // in milliseconds; 0 means off
	Subprotocols []string `json:"subprotocols"`
	MaxMessage   int64    `json:"maxMessage"` // 0 means no limit
	Once         bool     `json:"once"`
	HTTP         bool     `json:"http"`

	Parameters []parameterInfo `json:"parameters"`
}

// parameterInfo is a field of the form for Endpoint.Params.
type parameterInfo struct {
	Name    string  `json:"name"`
	Type    string  `json:"type"`    // as declared
	Default *string `json:"default"` // nil if it must be given
	Rule    string  `json:"rule"`    // in words
}

// describe responds with the description of the endpoint in the query parameter path.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "the endpoint description"); why != nil {
		return why
	}
	_, version, _ := strings.Cut(s.cfg.Software, "/")
	one := description{Version: version}
	if u := targetOf(r); u != nil {
		if p := s.endpoint(u); p != nil {
			values, _ := p.endpoint.Params.Values(u.RawQuery)
			p.setRoom(u.RawQuery, values) // after a refusal, the room is empty
			one.Endpoint = s.infoOf(p)
		}
	}
	writeJSON(w, one)
	return nil
}

// enumerate responds with the list of endpoints.
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
	all.Rooms = s.children.rooms(func(childKey) bool { return true })
	writeJSON(w, all)
	return nil
}

// infoOf returns the description of the endpoint of p.
func (s *Server) infoOf(p *program) *endpointInfo {
	e := p.endpoint
	return &endpointInfo{
		Path:         escapePath(p.url()),
		Program:      filepath.Base(p.path),
		Framing:      e.Framing.String(),
		PTY:          e.Child.Terminal == process.FullTerminal,
		LineBuffered: e.Child.Terminal == process.StdoutTerminal,
		Share:        map[Share]string{ShareBroadcast: "broadcast", ShareMux: "mux"}[e.Share],
		ShareBy:      e.ShareBy.String(),
		ReadOnly:     e.readOnly(),
		Clients:      s.children.count(p.sharedKey()),
		Rooms:        s.children.rooms(func(key childKey) bool { return key.endpoint == e && key.path == p.url() }),
		Resume:       e.Resume.Milliseconds(),
		Subprotocols: append([]string{}, e.Subprotocols...),
		MaxMessage:   max(0, e.MaxMessage),
		Once:         s.cfg.Once,
		HTTP:         e.HTTP,
		Parameters:   parametersOf(e),
	}
}

func parametersOf(e *Endpoint) []parameterInfo {
	all := []parameterInfo{}
	for _, p := range e.Params {
		all = append(all, parameterInfo{p.Name, p.Type, p.Default, p.Rule()})
	}
	return all
}

// escapePath returns path, escaped for a URL.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
