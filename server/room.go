package server

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"wspipe/server/access"
	"wspipe/server/param"
)

// ShareBy says which clients of an endpoint share a child: those in one room. The zero
// value puts all clients into one.
type ShareBy struct {
	// Path makes a room of each PATH_INFO.
	Path bool
	// Query, if set, makes a room of each value of the query parameter with this name.
	Query string
}

// String returns the value of --share-by, or "" for the zero value.
func (b ShareBy) String() string {
	switch {
	case b.Path:
		return "path"
	case b.Query != "":
		return "query:" + b.Query
	}
	return ""
}

// maxRoom bounds the name of a room, in bytes.
const maxRoom = 256

// hasRooms reports whether clients share a child only if they are in the same room.
func (e *Endpoint) hasRooms() bool { return e.isShared() && e.ShareBy != (ShareBy{}) }

// setRoom sets the room of a request with this query and these values of Endpoint.Params, or
// returns a refusal.
func (p *program) setRoom(query string, values param.Values) *access.Refusal {
	by := p.endpoint.ShareBy
	switch {
	case !p.endpoint.hasRooms():
	case by.Path && len(p.info) > maxRoom:
		return &access.Refusal{Status: http.StatusBadRequest, Rule: "room", Why: fmt.Sprintf("the path after the endpoint names a room and is over %d bytes", maxRoom)}
	case by.Path:
		p.room = p.info
	default:
		var ok bool
		if p.room, ok = values.Of(by.Query); !ok { // with its default, if it is missing
			p.room, ok = queryParameter(query, by.Query)
		}
		if !ok || len(p.room) > maxRoom {
			why := badParameter(by.Query, fmt.Sprintf("one value of at most %d bytes", maxRoom))
			why.Rule = "room"
			return why
		}
	}
	return nil
}

// queryParameter returns the value of the parameter called name, or "" if it is missing.
// It fails if the parameter occurs twice or its encoding is invalid.
func queryParameter(query, name string) (value string, ok bool) {
	found := false
	for pair := range strings.SplitSeq(query, "&") {
		key, encoded, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		var err error
		if value, err = url.QueryUnescape(encoded); err != nil || found {
			return "", false
		}
		found = true
	}
	return value, true
}

// query returns the query string that names a room.
func (b ShareBy) query(room string) string {
	return url.Values{b.Query: {room}}.Encode()
}

// roomURL returns the path and query, escaped, with which clients enter the room of key.
func (k childKey) roomURL() string {
	if by := k.endpoint.ShareBy; !by.Path {
		return escapePath(k.path) + "?" + by.query(k.room)
	}
	return escapePath(strings.TrimSuffix(k.path, "/") + k.room)
}

// room is a room whose child is running, for the console.
type room struct {
	Path    string `json:"path"` // with the query, relative to the server's root
	Clients int    `json:"clients"`
}

// rooms returns the running rooms with these keys, in the order of their paths.
func (t *children) rooms(include func(childKey) bool) []room {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := []room{}
	for key := range t.byKey {
		if c := t.current(key); c != nil && key.isShared() && key.endpoint.hasRooms() && !key.endpoint.removed && include(key) {
			all = append(all, room{key.roomURL(), c.clients})
		}
	}
	slices.SortFunc(all, func(a, b room) int { return cmp.Compare(a.Path, b.Path) })
	return all
}
