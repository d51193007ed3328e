package server

import (
	"net/http"
	"os"
	"slices"
	"strings"

	"wspipe/server/access"
)

// environment returns the environment of a child for r: the variables of ours that the endpoint
// passes, and CGI/1.1 (RFC 3875) as websocketd sets it.
func (s *Server) environment(r *http.Request, client *access.Client, p *program, id string) environ {
	env := passedEnv(p.endpoint.PassEnv)
	env = slices.Grow(env, 32+len(r.Header)+len(p.endpoint.SetEnv))
	for name, values := range r.Header {
		if key, ok := headerVariable(name); ok {
			env.set(key, strings.Join(values, separator(key)))
		}
	}
	host, port := access.ServerName(r, client)
	env.set("HTTP_HOST", r.Host)
	env.set("SERVER_SOFTWARE", s.cfg.Software)
	env.set("GATEWAY_INTERFACE", "CGI/1.1")
	env.set("SERVER_PROTOCOL", r.Proto)
	env.set("SERVER_NAME", bracketed(host))
	env.set("SERVER_PORT", port)
	env.set("REQUEST_METHOD", r.Method)
	env.set("SCRIPT_NAME", p.name)
	env.set("PATH_INFO", p.info)
	env.set("PATH_TRANSLATED", r.URL.Path)
	env.set("QUERY_STRING", r.URL.RawQuery)
	env.set("REQUEST_URI", r.URL.RequestURI())
	env.set("REMOTE_ADDR", client.Address())
	env.set("REMOTE_HOST", s.hostName(r.Context(), client, p.endpoint.ReverseLookup))
	env.set("REMOTE_PORT", client.Port)
	env.set("REMOTE_USER", client.User)
	env.set("REMOTE_IDENT", "")
	env.set("AUTH_TYPE", client.AuthType)
	env.set("CONTENT_LENGTH", "")
	env.set("CONTENT_TYPE", "")
	env.set("UNIQUE_ID", id)
	if client.Secure {
		env.set("HTTPS", "on")
	}
	if client.Subject != "" {
		env.set("SSL_CLIENT_S_DN", client.Subject)
	}
	return env
}

// bracketed returns host with brackets if it is an IPv6 address, as in a URL and in SERVER_NAME
// (RFC 3875, section 4.1.14).
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// passedEnv returns the variables of our own environment with these names.
func passedEnv(names []string) (env environ) {
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok && name != BasicAuthVariable {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// separator returns the separator between several values of the header in the variable key.
func separator(key string) string {
	if key == "HTTP_COOKIE" { // RFC 6265, section 4.2.1
		return "; "
	}
	return ", "
}

// environ is a list of NAME=VALUE.
type environ []string

// oneLine replaces characters that could start a new line or end the value.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

// set adds a variable, which must not exist yet.
func (e *environ) set(name, value string) { *e = append(*e, name+"="+oneLine.Replace(value)) }

// cleanEnvironment returns pairs, of NAME=VALUE, with values of one line.
func cleanEnvironment(pairs []string) []string {
	for i, pair := range pairs {
		pairs[i] = oneLine.Replace(pair)
	}
	return pairs
}

// headerVariable returns the name of the variable for a header. Proxy has none, because many
// programs use HTTP_PROXY (CVE-2016-5386). A name with other characters than letters, digits
// and dashes has none, because its variable could be that of another header (X_Real_IP,
// X-Real-IP); nginx drops such headers, too.
func headerVariable(name string) (key string, ok bool) {
	if strings.EqualFold(name, "Proxy") {
		return "", false
	}
	for _, c := range []byte(name) {
		if !(c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return "", false
		}
	}
	return "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")), true
}

// override returns env with the variables of set, which replace those of the same name.
func override(env environ, set []string) []string {
	for _, pair := range set {
		name, _, _ := strings.Cut(pair, "=")
		kept := env[:0]
		for _, e := range env {
			if !strings.HasPrefix(e, name+"=") {
				kept = append(kept, e)
			}
		}
		env = append(kept, pair)
	}
	return env
}
