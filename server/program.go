package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"wspipe/process"
)

// program is what a request starts.
type program struct {
	endpoint *Endpoint // how it is run and talked to
	path     string    // its file
	name     string    // its part of the URL's path, SCRIPT_NAME
	info     string    // the path behind that, PATH_INFO
}

// url returns the path of the program's endpoint in URLs, which is that of a route or
// SCRIPT_NAME.
func (p *program) url() string {
	if p.endpoint.pattern != "" {
		return p.endpoint.pattern
	}
	return p.name
}

// programDir is a directory whose executable files are programs, those of
// --dir or --cgidir. No request leads out of it.
type programDir struct {
	path     string    // absolute
	endpoint *Endpoint // of each of them
}

// openProgramDir makes sure that the directory at path can be opened. Each
// request opens it again: another may have taken its place.
func openProgramDir(path string, endpoint *Endpoint) (*programDir, error) {
	path, err := checkDir(path)
	return &programDir{path, endpoint}, err
}

// checkDir makes the path of a directory absolute. It fails if the directory
// cannot be opened.
func checkDir(path string) (absolute string, err error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err // without the path, which is named here
		}
		return "", fmt.Errorf("open directory %q: %w", path, err)
	}
	root.Close()
	return filepath.Abs(path)
}

// maxDepth is how many directories deep a file may be. Each costs a look, and a
// link to its own directory makes a tree without end.
const maxDepth = 32

// find returns the program that u names: /a/b.sh/rest is the file a/b.sh, with
// /rest for it to interpret. It returns nil if there is none.
func (d *programDir) find(u *url.URL) *program {
	if name, rest := d.lookUp(u); name != "" && process.Executable(d.file(name)) {
		if info, ok := pathInfo(rest); ok {
			return &program{endpoint: d.endpoint, path: d.file(name), name: "/" + name, info: info}
		}
	}
	return nil
}

// lookUp returns the name of the regular file that u leads to, and the elements of
// the escaped path behind it. The name is empty if there is none.
func (d *programDir) lookUp(u *url.URL) (name string, rest []string) {
	root, err := openDirRoot(d.path)
	if err != nil {
		return "", nil
	}
	defer root.Close()
	parts := strings.Split(u.EscapedPath(), "/")
	for i, depth := 0, 0; i < len(parts) && depth < maxDepth; i++ {
		if parts[i] == "" { // as nginx, we take several slashes for one
			continue
		}
		part, ok := fileName(parts[i])
		if !ok {
			return "", nil
		}
		depth++
		name = path.Join(name, part)
		info, err := root.stat(name)
		switch {
		case err != nil, !info.IsDir() && !info.Mode().IsRegular():
			return "", nil
		case !info.IsDir():
			return name, parts[i+1:]
		}
	}
	return "", nil
}

// script returns the name of the script that u leads to and that may not be
// executed, or "". Other files that are no programs are nobody's business.
func (d *programDir) script(u *url.URL) (name string) {
	name, _ = d.lookUp(u)
	if name == "" || process.Executable(d.file(name)) {
		return ""
	}
	root, err := openDirRoot(d.path)
	if err != nil {
		return ""
	}
	defer root.Close()
	f, err := root.open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	start := make([]byte, len("#!"))
	if _, err := io.ReadFull(f, start); err != nil || string(start) != "#!" {
		return ""
	}
	return name
}

// file returns the path of the file called name.
func (d *programDir) file(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

func (d *programDir) isProgram(name string, info fs.FileInfo) bool {
	return info.Mode().IsRegular() && process.Executable(d.file(name))
}

// pathInfo joins the parts of an escaped path behind a program's name. It fails
// if they lead upwards.
func pathInfo(parts []string) (info string, ok bool) {
	if len(parts) == 0 {
		return "", true
	}
	info, err := url.PathUnescape("/" + strings.Join(parts, "/"))
	return info, err == nil && !climbs(info)
}

// climbs reports whether a path has an element "..", which no client sends by
// itself: many a program would follow it out of the directory that it means.
func climbs(path string) bool {
	isSlash := func(r rune) bool { return r == '/' || r == '\\' }
	for element := range strings.FieldsFuncSeq(path, isSlash) {
		if element == ".." {
			return true
		}
	}
	return false
}

// fileName returns the file name that part of an escaped path stands for. It
// fails if there can be none, or none that we serve: hidden files are nobody's
// business, and neither slashes nor backslashes may come in escaped.
func fileName(part string) (name string, ok bool) {
	name, err := url.PathUnescape(part)
	return name, err == nil && isServed(name)
}

// isServed reports whether a file of this name is served.
func isServed(name string) bool {
	if strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\") {
		return false
	}
	_, err := filepath.Localize(name) // UTF-8, no NUL; on Windows, no device and no stream either
	return err == nil
}
