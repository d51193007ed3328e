package server

import (
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"wspipe/process"
	"wspipe/server/access"
)

// ServeHTTP serves every request, except those on redirect ports.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.newResponseWriter(w, r)
	defer a.conn.end()
	client := s.policy.ClientOf(r)
	rt := s.find(r)
	granted, why := s.admit(r, rt, client)
	if why == nil {
		if rt.program == nil {
			defer granted.release()
		}
		if !rt.upgrade {
			defer s.busy.add(a.conn)()
		}
		why = rt.serve(a, r, client, granted)
	}
	if why != nil {
		if rt.upgrade && r.ContentLength != 0 { // otherwise net/http would wait for the body
			http.NewResponseController(w).SetReadDeadline(time.Now())
		}
		why.Write(a, r)
		if !rt.public {
			s.registry.refused(why.Rule)
		}
	}
	if a.conn.takenOver {
		return
	}
	s.logRequest(r, rt, client, a.status, why)
	if !rt.upgrade {
		a.conn.waitAcked()
	}
}

// logRequest logs a request, without its query, which may contain secrets. Those that the
// console's page makes by itself are logged at debug level, unless they are refused.
func (s *Server) logRequest(r *http.Request, rt route, client *access.Client, status int, why *access.Refusal) {
	level := LevelAccess
	if why == nil && rt.program == nil && isConsolePart(r.URL.Path) {
		level = slog.LevelDebug
	}
	attrs := []any{"method", r.Method, "path", r.URL.Path, "status", status, "remote", client.String()}
	if client.User != "" {
		attrs = append(attrs, "user", client.User)
	}
	if why != nil {
		attrs = append(attrs, "refused", why.Why)
		if why.Flag != "" {
			attrs = append(attrs, "allow", why.Flag)
		}
	}
	s.log.Log(r.Context(), level, "request", attrs...)
}

// route is the target of a request. Finding it neither serves nor starts anything, because the
// request has not been admitted.
type route struct {
	upgrade bool     // the request is an opening handshake
	plain   bool     // the request is a plain client
	program *program // the program that it starts, or nil
	public  bool     // the access rules do not apply
	own     bool     // the server's own file, for which a pass is sufficient
	serve   handler
}

// purpose returns the purpose of rt for the access rules.
func (rt route) purpose() access.Purpose {
	return access.Purpose{WebSocket: rt.upgrade, Program: rt.program != nil, Own: rt.own}
}

// handler responds to r, or returns a refusal for the caller to write. If the route has a
// program, it calls granted.release when the program has ended.
type handler func(w http.ResponseWriter, r *http.Request, client *access.Client, granted admission) *access.Refusal

// find returns the route of r. A plain request goes to the first match of the server's own
// files, a CGI program, a static file, an endpoint and the console.
func (s *Server) find(r *http.Request) route {
	if isUpgrade(r) {
		if _, own, _ := ownPath(r.URL.Path); own == tracePath && s.cfg.Console {
			return route{upgrade: true, serve: s.serveTrace}
		}
		if p := s.endpoint(r.URL); p != nil {
			return route{upgrade: true, program: p, serve: s.webSocket(p)}
		}
		return route{upgrade: true, serve: s.explainScript(s.dir, refuse(noWebSocket))}
	}
	if lacksUpgrade(r) {
		return route{serve: refuse(upgradeRemoved)}
	}
	if s.isHealth(r) {
		return route{public: true, serve: serveHealth}
	}
	if clean := cleanPath(r.URL); clean != "" && r.Method != http.MethodConnect {
		return route{serve: redirectTo(clean)}
	}
	_, own, isOwn := ownPath(r.URL.Path)
	if serve := s.own(own, r); serve != nil {
		return route{own: true, serve: serve}
	}
	if s.cgi != nil {
		if p := s.cgi.find(r.URL); p != nil {
			return route{program: p, serve: s.runCGI(p)}
		}
	}
	if s.files != nil {
		if f := s.files.find(r.URL); f != nil {
			return route{serve: f.serve}
		}
	}
	if isOwn && (s.cfg.Console || isVendored(own) && s.hasTerminals()) {
		return route{own: true, serve: serveConsole}
	}
	if rt, ok := s.plain(r); ok {
		return rt
	}
	switch {
	case s.cfg.Console:
		return route{serve: s.explainScript(s.cgi, serveConsole)}
	case s.dir != nil && s.cfg.Endpoint.HTTP:
		return route{serve: s.explainScript(s.dir, notFound("no program at this path"))}
	case s.files != nil || s.cgi != nil:
		return route{serve: s.explainScript(s.cgi, notFound("no page at this path"))}
	case len(s.cfg.Routes) > 0 && s.endpoint(r.URL) == nil:
		return route{serve: notFound("no route at this path")}
	}
	return route{serve: notFound("this is a WebSocket endpoint, not a page; start wspipe with --devconsole for a test page")}
}

// explainScript returns next, wrapped so that it refuses a request for a script in dir that is
// not executable, and logs it. dir may be nil.
func (s *Server) explainScript(dir *programDir, next handler) handler {
	if dir == nil {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request, client *access.Client, granted admission) *access.Refusal {
		name := dir.script(r.URL)
		if name == "" {
			return next(w, r, client, granted)
		}
		s.logStartFailure(s.log, &process.StartError{Path: dir.file(name), Reason: notExecutable, Err: fs.ErrPermission})
		return &access.Refusal{Status: http.StatusNotFound, Rule: "path", Why: "the script /" + name + " is " + notExecutable}
	}
}

const notExecutable = "not executable"

// cleanPath returns the escaped path of u without "." and ".." elements, or "" if it has no such
// elements.
func cleanPath(u *url.URL) string {
	escaped := u.EscapedPath()
	if !slices.ContainsFunc(strings.Split(escaped, "/"), func(part string) bool { return part == "." || part == ".." }) {
		return ""
	}
	clean := path.Clean("/" + escaped)
	if strings.HasSuffix(escaped, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// redirectTo redirects to path with the same query and method, as http.ServeMux does to a clean
// path.
func redirectTo(path string) handler {
	return func(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
		to := path
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil
	}
}

// own returns the handler for path, which is below ownPrefix, or nil: the client module, the
// handshake check and the endpoint descriptions. The console's files are not among them; they
// have the lowest priority, with its page.
func (s *Server) own(path string, r *http.Request) handler {
	if file, ok := clientModuleFiles[path]; ok {
		return serveClientModule(file)
	}
	switch {
	case path == handshakePath:
		return s.serveHandshakeCheck(checkedHandshake(r))
	case path == endpointPath && s.cfg.Console:
		return s.describe
	case path == endpointsPath && s.cfg.Console:
		return s.enumerate
	}
	return nil
}

// endpoint returns the program of the WebSocket endpoint at u, or nil.
func (s *Server) endpoint(u *url.URL) *program {
	switch {
	case s.dir != nil:
		return s.dir.find(u)
	case hasDotDot(u.Path):
		return nil
	case len(s.cfg.Routes) > 0:
		return s.routeTable.Load().find(u.Path)
	case s.cfg.Endpoint.Child.Path != "":
		return &program{endpoint: &s.cfg.Endpoint, path: s.cfg.Endpoint.Child.Path, name: "/", info: u.Path}
	}
	return nil
}

func notFound(why string) handler {
	return refuse(&access.Refusal{Status: http.StatusNotFound, Why: why})
}

// webSocket returns a handler that upgrades the connection and starts to serve it. The handler
// returns before the connection ends.
func (s *Server) webSocket(p *program) handler {
	return func(w http.ResponseWriter, r *http.Request, client *access.Client, granted admission) *access.Refusal {
		accepted, err := upgrade(w, r, p.endpoint, s.traces.find(client, granted.traceID))
		if err != nil { // the library has written a response
			s.registry.refused("handshake")
			granted.release()
			s.tracker.done(nil)
			s.releaseOnce()
			return nil
		}
		c := s.newConnection(r, client, p, accepted, granted)
		if c.child != nil {
			s.sessionBegan()
		}
		// The handler returns, so that net/http frees the memory of the request.
		go c.serve() // ends with the connection; unblocked by tracker.shutdown
		return nil
	}
}
