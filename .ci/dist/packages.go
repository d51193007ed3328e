package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// nfpm builds .deb and .rpm.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

// packagedTargets are the platforms with a .deb, an .rpm and a container image.
var packagedTargets = []string{"linux/amd64", "linux/arm64"}

// installed maps the files of an archive to their places in a package. The others are examples and
// licenses.
var installed = map[string]string{
	"completions/wspipe.bash": "/usr/share/bash-completion/completions/wspipe",
	"completions/_wspipe":     "/usr/share/zsh/vendor-completions/_wspipe",
	"completions/wspipe.fish": "/usr/share/fish/vendor_completions.d/wspipe.fish",
}

const docDir = "/usr/share/doc/wspipe/"

// content is a file of a package, in nfpm's configuration.
type content struct {
	Source   string   `json:"src"`
	Path     string   `json:"dst"`
	Type     string   `json:"type,omitempty"`
	Packager string   `json:"packager,omitempty"`
	Info     fileInfo `json:"file_info"`
}

type fileInfo struct {
	Mode  int64     `json:"mode,omitempty"`
	MTime time.Time `json:"mtime"`
}

// writePackages writes the .deb and the .rpm for target, of its program.
func (r *release) writePackages(target, program string) error {
	contents, err := r.packageContents(program)
	if err != nil {
		return err
	}
	_, goarch, _ := strings.Cut(target, "/")
	config, err := json.Marshal(map[string]any{ // which is YAML, too
		"name":           "wspipe",
		"arch":           goarch,
		"version":        r.packageVersion(),
		"version_schema": "none",
		"section":        "net",
		"priority":       "optional",
		"maintainer":     "The wspipe authors <wspipe@users.noreply.github.com>",
		"description":    summary + "\n" + strings.TrimPrefix(packageAbout, "\n"),
		"license":        "MIT",
		"mtime":          r.date,
		"conflicts":      []string{"websocketd"},
		"replaces":       []string{"websocketd"},
		"provides":       []string{"websocketd"},
		"contents":       contents,
		"rpm":            map[string]string{"buildhost": "localhost"},
	})
	if err != nil {
		return err
	}
	path := filepath.Join(r.work, goarch+".yaml")
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return err
	}
	for _, packager := range []string{"deb", "rpm"} {
		name := fmt.Sprintf("wspipe-%s-linux-%s.%s", r.version, goarch, packager)
		if out, err := r.output("go", "run", nfpm, "package", "--config="+path, "--packager="+packager, "--target="+filepath.Join(r.out, name)); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

const summary = "serve any program as a WebSocket"

const packageAbout = `
Each connection starts its own process: each line that it prints becomes a
message, and each message becomes a line of its input. wspipe accepts the
command lines of websocketd, and adds terminals, shared processes and sessions.`

// packageVersion returns the version as dpkg and rpm compare it: 1.0.0~rc1 is before 1.0.0.
func (r *release) packageVersion() string {
	version := strings.ReplaceAll(r.version, "-", "~")
	if version[0] < '0' || version[0] > '9' {
		version = "0~" + version
	}
	return version
}

// packageContents returns the files of a package with the given program.
func (r *release) packageContents(program string) ([]content, error) {
	info := fileInfo{MTime: r.date}
	contents := []content{
		{program, "/usr/bin/wspipe", "", "", fileInfo{0o755, r.date}},
		{"wspipe", "/usr/bin/websocketd", "symlink", "", info},
		{"wspipe.1.gz", "/usr/share/man/man1/websocketd.1.gz", "symlink", "", info},
	}
	add := func(source, path, packager string) {
		contents = append(contents, content{source, path, "", packager, fileInfo{0o644, r.date}})
	}
	for _, f := range r.common {
		switch path := installed[f.name]; {
		case path != "":
			add(f.path, path, "")
		case strings.HasPrefix(f.name, "examples/"):
			contents = append(contents, content{f.path, docDir + f.name, "", "", fileInfo{f.mode, r.date}})
		}
	}
	for _, made := range []struct {
		path, packager string
		text           func() ([]byte, error)
	}{
		{"/usr/share/man/man1/wspipe.1.gz", "", r.compressedMan},
		{docDir + "copyright", "", r.copyright},
		{docDir + "changelog.gz", "deb", r.debianChangelog},
		{"/usr/lib/systemd/system/wspipe.service", "", r.unit("wspipe.service")},
		{"/usr/lib/systemd/system/wspipe.socket", "", r.unit("wspipe.socket")},
		{"/usr/share/lintian/overrides/wspipe", "deb", r.lintianOverrides},
	} {
		text, err := made.text()
		if err != nil {
			return nil, err
		}
		source := filepath.Join(r.work, strings.ReplaceAll(made.path, "/", "-"))
		if err := os.WriteFile(source, text, 0o644); err != nil {
			return nil, err
		}
		add(source, made.path, made.packager)
	}
	return contents, nil
}

func (r *release) compressedMan() ([]byte, error) {
	page, err := os.ReadFile(filepath.Join(r.work, "wspipe.1"))
	if err != nil {
		return nil, err
	}
	return compressed(page)
}

func (r *release) copyright() ([]byte, error) {
	license, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	notices, err := os.ReadFile(filepath.Join(r.root, noticesFile))
	return append(append(license, '\n'), notices...), err
}

// lintianOverrides: Go links statically, and the copyright file is the same in a .deb and an .rpm.
func (r *release) lintianOverrides() ([]byte, error) {
	return []byte(`wspipe: statically-linked-binary [usr/bin/wspipe]
wspipe: copyright-file-contains-full-apache-2-license
wspipe: copyright-not-using-common-license-for-apache2
`), nil
}

// debianChangelog returns what Debian's tools expect. CHANGELOG.md is for readers.
func (r *release) debianChangelog() ([]byte, error) {
	return compressed(fmt.Appendf(nil, "wspipe (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- The wspipe authors <wspipe@users.noreply.github.com>  %s\n",
		r.packageVersion(), r.version, r.date.Format(time.RFC1123Z)))
}

// unit returns the text of a unit in docs/deploy with the place of the packaged program.
func (r *release) unit(name string) func() ([]byte, error) {
	return func() ([]byte, error) {
		text, err := os.ReadFile(filepath.Join(r.root, "docs/deploy", name))
		return bytes.ReplaceAll(text, []byte("/usr/local/bin/wspipe"), []byte("/usr/bin/wspipe")), err
	}
}

// compressed returns text in the gzip format, without a date.
func compressed(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
