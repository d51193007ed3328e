package server

import (
	"io/fs"
	"os"
	"path"
	"slices"
)

// What a listing costs at most, in a directory of whatever size.
const (
	maxListed      = 1000   // programs
	maxScanned     = 10_000 // directory entries
	maxListedDepth = 16     // directories, one in the other
)

// list returns the URL paths of the programs that find would find, in order, the
// same file by each link to it. More tells that these may not be all of them.
func (d *programDir) list() (names []string, more bool) {
	root, err := openDirRoot(d.path)
	if err != nil {
		return nil, false
	}
	defer root.Close()
	l := &lister{dir: d, root: root, left: maxScanned}
	if info, err := root.Stat("."); err == nil {
		l.dirs = []listedDir{{".", []fs.FileInfo{info}}}
	}
	for len(l.dirs) > 0 { // the upper ones first, which are more likely meant
		next := l.dirs[0]
		l.dirs = l.dirs[1:]
		l.scan(next)
	}
	slices.Sort(l.names)
	if len(l.names) > maxListed {
		return l.names[:maxListed], true
	}
	return l.names, l.more
}

// lister is a listing that is being made.
type lister struct {
	dir   *programDir
	root  *dirRoot
	dirs  []listedDir // to be looked into
	left  int         // how many entries may still be looked at
	names []string
	more  bool
}

// listedDir is a directory.
type listedDir struct {
	name      string
	ancestors []fs.FileInfo // all on the way to it, and itself
}

// scan adds what is in b.
func (l *lister) scan(b listedDir) {
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
func (l *lister) add(b listedDir, entry string) {
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
	case slices.ContainsFunc(b.ancestors, func(dir fs.FileInfo) bool { return os.SameFile(dir, info) }):
		// A link back: it would lead to the same again, without end.
	case len(b.ancestors) == maxListedDepth:
		l.more = true
	default:
		l.dirs = append(l.dirs, listedDir{name, append(slices.Clip(b.ancestors), info)})
	}
}
