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

// dirRoot is an open directory. Like os.Root it follows no link out of the directory. Unlike
// os.Root it also follows absolute links within it.
type dirRoot struct {
	*os.Root
	path string
}

// openDirRoot opens the directory at path. The caller closes it.
func openDirRoot(path string) (*dirRoot, error) {
	root, err := os.OpenRoot(path)
	return &dirRoot{root, path}, err
}

// stat returns the FileInfo of the file with this slash-separated name.
func (d *dirRoot) stat(name string) (info fs.FileInfo, err error) {
	name = filepath.FromSlash(name)
	if info, err = d.Stat(name); isEscape(err) {
		if name, err = d.withoutLinks(name); err == nil {
			info, err = d.Stat(name)
		}
	}
	return info, err
}

// open opens the file with this slash-separated name for reading. It does not wait for a
// writer of a FIFO.
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

// isEscape reports whether err may mean that a link leads out of an os.Root, which has no
// error value for it. For os.Root, every absolute link does.
func isEscape(err error) bool {
	return err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

// maxLinks bounds the links in the path of a file, as in Linux.
const maxLinks = 40

// errLinks reports that a link leads out of the directory, or that there are too many.
var errLinks = errors.New("no link within the directory")

// withoutLinks resolves the links in name. The result may only be used with d, because the
// files may change at any time.
func (d *dirRoot) withoutLinks(name string) (string, error) {
	rest := strings.Split(filepath.ToSlash(name), "/")
	done := "" // the resolved part, without links, so that ".." removes one element
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

// nameOf returns the name in d of the file with an absolute path, or "" if no parent of the
// file is d. d may have several paths.
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
