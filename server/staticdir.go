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
	"wspipe/server/recording"
)

// staticDir is the directory of --staticdir. It serves regular files, but no listings, hidden
// files or programs, and nothing outside the directory.
type staticDir struct {
	path       string          // absolute
	programs   []*programDir   // whose files are not served
	recordings *programDir     // whose recordings are not served; nil for none
	hidden     func() []string // paths of other files that are not served
}

// openStaticDir checks that the directory at path can be opened. Each request opens it again,
// because it may be replaced.
func openStaticDir(path string, programs ...*programDir) (*staticDir, error) {
	path, err := checkDir(path)
	return &staticDir{path: path, programs: programs}, err
}

// staticFile is a file to serve, or a directory to redirect to.
type staticFile struct {
	dir      *staticDir
	name     string // slash-separated
	redirect bool   // redirect to the URL of the directory, which ends in a slash
}

// indexPage is the file that is served for a directory.
const indexPage = "index.html"

// find returns the file that u names, or nil if there is none.
func (d *staticDir) find(u *url.URL) *staticFile {
	var parts []string
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if part == "" { // like nginx, ignore repeated slashes
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
		file.redirect = !isDir
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

// isSource reports whether the file with this name belongs to a program, after resolving links.
// Every file in a program directory does. If the static directory is inside a program directory,
// only executable files do.
func (d *staticDir) isSource(name string) bool {
	if len(d.programs) == 0 && d.recordings == nil {
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
	if d.recordings != nil && filepath.Ext(file) == recording.Extension && d.recordings.contains(filepath.Dir(file)) {
		return true
	}
	for _, programs := range d.programs {
		if programs.contains(filepath.Dir(file)) && (process.Executable(file) || !programs.contains(dir)) {
			return true
		}
	}
	return false
}

// contains reports whether the directory at path, which is absolute and has no links, is d or below
// d.
func (d *programDir) contains(path string) bool {
	own, err := os.Stat(d.path)
	if err != nil {
		return false // without d, there are no programs
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

// serve writes the file, or a redirect, as the response to r.
func (f *staticFile) serve(w http.ResponseWriter, r *http.Request, _ *access.Client, _ admission) *access.Refusal {
	if why := refuseWrite(w, r, "a static file"); why != nil {
		return why
	}
	// Pages of other origins can neither use a file as a script or an image, nor frame a
	// page; --header-http can allow it.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Header().Set("Content-Security-Policy", "frame-ancestors 'self'")
	if f.redirect {
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
	info, err := file.Stat() // the file may have been replaced
	if err != nil || !info.Mode().IsRegular() || f.dir.isHidden(info) {
		return cannotRead(err)
	}
	if kind := contentType(f.name); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	http.ServeContent(w, r, path.Base(f.name), info.ModTime(), file)
	return nil
}

// cannotRead returns the refusal for a file that cannot be opened.
func cannotRead(err error) *access.Refusal {
	if os.IsPermission(err) {
		return &access.Refusal{Status: http.StatusForbidden, Why: "this file is not readable"}
	}
	return &access.Refusal{Status: http.StatusNotFound, Why: "no such file"}
}
