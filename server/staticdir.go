package server

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wspipe/process"
	"wspipe/server/access"
)

// staticDir is the directory of --staticdir. It serves regular files, and no
// listings, no hidden files, no programs and nothing from outside.
type staticDir struct {
	path     string          // absolute
	programs []*programDir   // whose sources are not served
	hidden   func() []string // paths of more files that are not served
}

// openStaticDir makes sure that the directory at path can be opened. Each
// request opens it again: another may have taken its place.
func openStaticDir(path string, programs ...*programDir) (*staticDir, error) {
	path, err := checkDir(path)
	return &staticDir{path: path, programs: programs}, err
}

// staticFile is a file to serve, or a directory to redirect to.
type staticFile struct {
	dir  *staticDir
	name string // with slashes
	move bool   // to the directory's URL, which ends in a slash
}

// indexPage is what a directory serves for itself.
const indexPage = "index.html"

// find returns the file that u names, or nil if there is none.
func (d *staticDir) find(u *url.URL) *staticFile {
	var parts []string
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if part == "" { // as nginx, we take several slashes for one
			continue
		}
		name, ok := fileName(part)
		if !ok || len(parts) == maxDepth {
			return nil
		}
		parts = append(parts, name)
	}
	root, err := openDirRoot(d.path)
	if err != nil {
		return nil
	}
	defer root.Close()
	file := &staticFile{dir: d, name: path.Join(parts...)}
	isDir := strings.HasSuffix(u.Path, "/")
	if info, err := root.stat(path.Join(".", file.name)); err == nil && info.IsDir() {
		file.name = path.Join(file.name, indexPage)
		file.move = !isDir
	} else if isDir {
		return nil
	}
	info, err := root.stat(file.name)
	if err != nil || !info.Mode().IsRegular() || d.isSource(file.name) || d.isHidden(info) {
		return nil
	}
	return file
}

// isHidden reports whether info is one of the hidden files.
func (d *staticDir) isHidden(info fs.FileInfo) bool {
	return slices.ContainsFunc(d.hidden(), func(path string) bool {
		hidden, err := os.Stat(path)
		return err == nil && os.SameFile(info, hidden)
	})
}

// isSource reports whether the file called name is part of a program, by
// whatever links it is reached: everything in a directory for programs is. If
// the static directory itself lies in one, what can be started is.
func (d *staticDir) isSource(name string) bool {
	if len(d.programs) == 0 {
		return false
	}
	dir, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		return true
	}
	file, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return true
	}
	for _, programs := range d.programs {
		if programs.holds(filepath.Dir(file)) && (process.Executable(file) || !programs.holds(dir)) {
			return true
		}
	}
	return false
}

// holds reports whether the directory at path, absolute and without links, is d
// or below it.
func (d *programDir) holds(path string) bool {
	own, err := os.Stat(d.path)
	if err != nil {
		return false // there are no programs
	}
	for {
		if info, err := os.Stat(path); err == nil && os.SameFile(info, own) {
			return true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false
		}
		path = parent
	}
}

// serve answers r with the file.
func (f *staticFile) serve(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "a static file"); why != nil {
		return why
	}
	// Pages of other origins can neither read a file as a script or an image, nor
	// frame a page; --header-http may allow it.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Header().Set("Content-Security-Policy", "frame-ancestors 'self'")
	if f.move {
		to := url.URL{Path: "./" + path.Base(r.URL.Path) + "/", RawQuery: r.URL.RawQuery}
		w.Header().Set("Location", to.String())
		w.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	root, err := openDirRoot(f.dir.path)
	if err != nil {
		return cannotRead(err)
	}
	defer root.Close()
	file, err := root.open(f.name)
	if err != nil {
		return cannotRead(err)
	}
	defer file.Close()
	info, err := file.Stat() // another file may have taken its place
	if err != nil || !info.Mode().IsRegular() || f.dir.isHidden(info) {
		return cannotRead(err)
	}
	if kind := contentType(f.name); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	http.ServeContent(w, r, path.Base(f.name), info.ModTime(), file)
	return nil
}

// cannotRead is the refusal of a file that was there a moment ago, or that we
// have no right to read.
func cannotRead(err error) *access.Refusal {
	if os.IsPermission(err) {
		return &access.Refusal{Status: http.StatusForbidden, Why: "this file is not readable"}
	}
	return &access.Refusal{Status: http.StatusNotFound, Why: "no such file"}
}
