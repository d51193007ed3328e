package server

import (
	"io/fs"
	"os"
	"path"
	"slices"
)

// The limits of a listing.
const (
	maxListed      = 1000   // programs
	maxScanned     = 10_000 // directory entries
	maxListedDepth = 16     // directories, one in the other
)

// list returns the sorted URL paths of the programs that find would find. A file appears once
// for each link to it. more reports whether there may be further programs.
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
	for len(l.dirs) > 0 { // breadth first, because the upper ones are more useful
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

// lister is the state of list.
type lister struct {
	dir   *programDir
	root  *dirRoot
	dirs  []listedDir // still to scan
	left  int         // how many more entries may be scanned
	names []string
	more  bool
}

// listedDir is a directory to scan.
type listedDir struct {
	name      string
	ancestors []fs.FileInfo // the directories in its path, including itself
}

// scan adds the entries of b.
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
		if err != nil { // usually io.EOF
			return
		}
	}
}

// add adds the entry of b if it is a program, or schedules a scan if it is a directory.
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
		// A link to an ancestor would never end.
	case len(b.ancestors) == maxListedDepth:
		l.more = true
	default:
		l.dirs = append(l.dirs, listedDir{name, append(slices.Clip(b.ancestors), info)})
	}
}
