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

// program is a program that a request starts.
type program struct {
	endpoint *Endpoint
	path     string // of its file
	name     string // SCRIPT_NAME, the part of the URL's path that names it
	info     string // PATH_INFO, the rest of the URL's path
	room     string // the name of the room, see Endpoint.ShareBy; set by setRoom
}

// url returns the URL path of the program's endpoint: the path of its route or SCRIPT_NAME.
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

// openProgramDir checks that the directory at path can be opened. Each request opens it again,
// because it may be replaced.
func openProgramDir(path string, endpoint *Endpoint) (*programDir, error) {
	path, err := checkDir(path)
	return &programDir{path, endpoint}, err
}

// checkDir returns the absolute path of a directory, or an error if it cannot be opened.
func checkDir(path string) (absolute string, err error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err // without the path, which our error has
		}
		return "", fmt.Errorf("open directory %q: %w", path, err)
	}
	root.Close()
	return filepath.Abs(path)
}

// maxDepth is how many directories deep a file may be. Each takes a system call, and a link to
// its own directory makes an endless tree.
const maxDepth = 32

// find returns the program that u names, or nil: /a/b.sh/rest is the file a/b.sh with the
// PATH_INFO /rest.
func (d *programDir) find(u *url.URL) *program {
	if name, rest := d.lookUp(u); name != "" && process.Executable(d.file(name)) {
		if info, ok := pathInfo(rest); ok {
			return &program{endpoint: d.endpoint, path: d.file(name), name: "/" + name, info: info}
		}
	}
	return nil
}

// lookUp returns the name of the regular file that u names, or "", and the remaining elements of
// the escaped path.
func (d *programDir) lookUp(u *url.URL) (name string, rest []string) {
	root, err := openDirRoot(d.path)
	if err != nil {
		return "", nil
	}
	defer root.Close()
	parts := strings.Split(u.EscapedPath(), "/")
	for i, depth := 0, 0; i < len(parts) && depth < maxDepth; i++ {
		if parts[i] == "" { // like nginx, ignore repeated slashes
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

// script returns the name of the script that u names, if it begins with #! but is not
// executable, or "". Clients may not learn of other files.
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

// file returns the path of the file with this name.
func (d *programDir) file(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// isProgram reports whether the file with this name is a program.
func (d *programDir) isProgram(name string, info fs.FileInfo) bool {
	return info.Mode().IsRegular() && process.Executable(d.file(name))
}

// pathInfo returns the PATH_INFO for the elements of an escaped path after the name of a program.
// It is not ok if an element is "..".
func pathInfo(parts []string) (info string, ok bool) {
	if len(parts) == 0 {
		return "", true
	}
	info, err := url.PathUnescape("/" + strings.Join(parts, "/"))
	return info, err == nil && !hasDotDot(info)
}

// hasDotDot reports whether a path has an element "..". Such a path may lead a program out of its
// directory. Browsers never send one.
func hasDotDot(path string) bool {
	isSlash := func(r rune) bool { return r == '/' || r == '\\' }
	for element := range strings.FieldsFuncSeq(path, isSlash) {
		if element == ".." {
			return true
		}
	}
	return false
}

// fileName returns the file name for an element of an escaped path. It is not ok if we do not
// serve such a file.
func fileName(part string) (name string, ok bool) {
	name, err := url.PathUnescape(part)
	return name, err == nil && isServed(name)
}

// isServed reports whether a file with this name may be served: it is not hidden, and has neither
// slashes nor backslashes.
func isServed(name string) bool {
	if strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\") {
		return false
	}
	_, err := filepath.Localize(name) // no NUL; on Windows, neither a device nor a stream
	return err == nil
}
