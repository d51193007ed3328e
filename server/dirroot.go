package server

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// dirRoot is an open directory. Like an os.Root it follows no link out of it, but
// it follows links within it that are absolute paths, too.
type dirRoot struct {
	*os.Root
	path string
}

func openDirRoot(path string) (*dirRoot, error) {
	root, err := os.OpenRoot(path)
	return &dirRoot{root, path}, err
}

// stat returns what the file called name, which has slashes, is.
func (d *dirRoot) stat(name string) (info fs.FileInfo, err error) {
	name = filepath.FromSlash(name)
	if info, err = d.Stat(name); isEscape(err) {
		if name, err = d.withoutLinks(name); err == nil {
			info, err = d.Stat(name)
		}
	}
	return info, err
}

// open opens the file called name, which has slashes, for reading. It does not
// wait for the other end of a FIFO.
func (d *dirRoot) open(name string) (f *os.File, err error) {
	name = filepath.FromSlash(name)
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if f, err = d.OpenFile(name, flags, 0); isEscape(err) {
		if name, err = d.withoutLinks(name); err == nil {
			f, err = d.OpenFile(name, flags, 0)
		}
	}
	return f, err
}

// isEscape reports whether err may say that a link leads out of an os.Root, for
// which there is no error value. An absolute link does, wherever it ends.
func isEscape(err error) bool {
	return err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

// maxLinks bounds the links on the way to a file, as Linux does.
const maxLinks = 40

// errLinks says that a link leads out of the directory, or to itself.
var errLinks = errors.New("no link within the directory")

// withoutLinks returns the name of the same file without links. The file may be
// replaced at any time: the name must be used with d only.
func (d *dirRoot) withoutLinks(name string) (string, error) {
	rest := strings.Split(filepath.ToSlash(name), "/")
	done := "" // of which no part is a link, so that ".." takes one off
	for links := 0; len(rest) > 0; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		if !filepath.IsLocal(next) {
			return "", errLinks
		}
		info, err := d.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		target, err := d.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			target, done = d.nameOf(target), ""
		}
		if links++; target == "" || links > maxLinks {
			return "", errLinks
		}
		rest = append(strings.Split(filepath.ToSlash(target), "/"), rest...)
	}
	return done, nil
}

// nameOf returns the name in d of the file with an absolute path, or "" if the path
// does not lead through d, by whatever name.
func (d *dirRoot) nameOf(file string) (name string) {
	own, err := d.Stat(".")
	if err != nil {
		return ""
	}
	for dir := filepath.Clean(file); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, own) {
			name, _ = filepath.Rel(dir, file)
		}
		if dir == filepath.Dir(dir) {
			return name
		}
	}
}
