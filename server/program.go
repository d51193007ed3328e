package server

import (
	"fmt"
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
	path string // its file
	name string // its part of the URL's path, SCRIPT_NAME
	info string // the path behind that, PATH_INFO
}

// programDir is a directory whose executable files are programs, those of
// --dir or --cgidir. No request leads out of it.
type programDir struct {
	root *os.Root
	path string // of the directory, absolute
	info fs.FileInfo
}

// openProgramDir opens the directory at path. It stays open with the process.
func openProgramDir(path string) (*programDir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open directory %q: %w", path, rootCause(err))
	}
	d := &programDir{root: root}
	if d.info, err = root.Stat("."); err == nil {
		d.path, err = filepath.Abs(path)
	}
	return d, err
}

// maxDepth is how many directories deep a file may be. Each costs a look, and a
// link to its own directory makes a tree without end.
const maxDepth = 32

// find returns the program that u names: /a/b.sh/rest is the file a/b.sh, with
// /rest for it to interpret. It returns nil if there is none.
func (d *programDir) find(u *url.URL) *program {
	name := ""
	parts := strings.Split(u.EscapedPath(), "/")
	for i, depth := 0, 0; i < len(parts) && depth < maxDepth; i++ {
		if parts[i] == "" { // as nginx, we take several slashes for one
			continue
		}
		part, ok := fileName(parts[i])
		if !ok {
			return nil
		}
		depth++
		name = path.Join(name, part)
		info, err := d.root.Stat(filepath.FromSlash(name))
		if err != nil || !info.IsDir() && !d.isProgram(name, info) {
			return nil
		}
		if !info.IsDir() {
			return &program{path: d.file(name), name: "/" + name, info: pathInfo(parts[i+1:])}
		}
	}
	return nil
}

// file returns the path of the file called name.
func (d *programDir) file(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

func (d *programDir) isProgram(name string, info fs.FileInfo) bool {
	return info.Mode().IsRegular() && process.Executable(d.file(name))
}

// pathInfo joins the parts of an escaped path behind a program's name.
func pathInfo(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	info, err := url.PathUnescape("/" + strings.Join(parts, "/"))
	if err != nil { // net/url has parsed it
		return ""
	}
	return info
}

// fileName returns the file name that part of an escaped path stands for. It
// fails if there can be none, or none that we serve: hidden files are nobody's
// business, and neither slashes nor backslashes may come in escaped.
func fileName(part string) (name string, ok bool) {
	name, err := url.PathUnescape(part)
	if err != nil || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\") {
		return "", false
	}
	_, err = filepath.Localize(name) // no NUL; on Windows, no device and no stream either
	return name, err == nil
}
