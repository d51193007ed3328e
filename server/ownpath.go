package server

import "strings"

// ReservedPath is in no path of a Route.
const ReservedPath = ownPrefix

// ownPrefix is the prefix of the server's own paths, see ownPath. No file and no CGI program has
// such a path.
const ownPrefix = "/.wspipe/"

// ownPath splits a path at its last ownPrefix, into the directory before it and the rest. The
// console's page requests its parts relative to its own directory, because a proxy may have
// removed a prefix that neither the page nor the server knows.
func ownPath(path string) (dir, own string, ok bool) {
	i := strings.LastIndex(path, ownPrefix)
	if i < 0 {
		return "", "", false
	}
	return path[:i+1], path[i:], true
}
