package server

import (
	"io/fs"
	"os"
	"path"
	"slices"
)

// What a listing costs at most, in a directory of whatever size.
const (
	maxListed = 1000   // programs
	maxLooked = 10_000 // directory entries
	maxLevels = 16     // directories, one in the other
)

// list returns the URL paths of the programs that find would find, in order, the
// same file by each link to it. More tells that these may not be all of them.
func (d *programDir) list() (names []string, more bool) {
	root, err := openDirRoot(d.path)
	if err != nil {
		return nil, false
	}
	defer root.Close()
	l := &listing{dir: d, root: root, left: maxLooked}
	if info, err := root.Stat("."); err == nil {
		l.branches = []branch{{".", []fs.FileInfo{info}}}
	}
	for len(l.branches) > 0 { // the upper ones first, which are more likely meant
		next := l.branches[0]
		l.branches = l.branches[1:]
		l.look(next)
	}
	slices.Sort(l.names)
	if len(l.names) > maxListed {
		return l.names[:maxListed], true
	}
	return l.names, l.more
}

// listing is a listing that is being made.
type listing struct {
	dir      *programDir
	root     *dirRoot
	branches []branch // to be looked into
	left     int      // how many entries may still be looked at
	names    []string
	more     bool
}

// branch is a directory.
type branch struct {
	name    string
	through []fs.FileInfo // all on the way to it, and itself
}

// look adds what is in b.
func (l *listing) look(b branch) {
	dir, err := l.root.open(b.name)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.Readdirnames(256)
		for _, entry := range entries {
			if l.left == 0 {
				l.more = true
				return
			}
			l.left--
			l.add(b, entry)
		}
		if err != nil { // io.EOF, most likely
			return
		}
	}
}

// add adds the program called entry in b, or looks into it later.
func (l *listing) add(b branch, entry string) {
	if !isServed(entry) {
		return
	}
	name := path.Join(b.name, entry)
	info, err := l.root.stat(name)
	switch {
	case err != nil:
	case !info.IsDir():
		if l.dir.isProgram(name, info) {
			l.names = append(l.names, "/"+name)
		}
	case slices.ContainsFunc(b.through, func(dir fs.FileInfo) bool { return os.SameFile(dir, info) }):
		// A link back: it would lead to the same again, without end.
	case len(b.through) == maxLevels:
		l.more = true
	default:
		l.branches = append(l.branches, branch{name, append(slices.Clip(b.through), info)})
	}
}
