package server

import "strings"

// ReservedPath is in no path of a Route.
const ReservedPath = ownPrefix

// ownPrefix begins the paths of what is our own, see ownPath. No file and no CGI
// program has one.
const ownPrefix = "/.wspipe/"

// ownPath returns where below ownPrefix a path leads, and the directory that
// contains that. The console's page asks for its parts below its own directory,
// whatever that is: a proxy may have taken a prefix off the path, which neither
// the page nor we know.
func ownPath(path string) (dir, own string, ok bool) {
	i := strings.LastIndex(path, ownPrefix)
	if i < 0 {
		return "", "", false
	}
	return path[:i+1], path[i:], true
}
