package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// noticesFile has the licenses of everything that is compiled in. wspipe embeds it.
const noticesFile = "cmd/notices.txt"

// licenseFile matches the names of files with license terms in a module.
var licenseFile = regexp.MustCompile(`^(LICEN[CS]E|NOTICE|COPYING|PATENTS)(\.(md|txt))?$`)

// writeNotices writes noticesFile.
func (r *release) writeNotices() error {
	text, err := r.notices()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.root, noticesFile), []byte(text), 0o644)
}

// notices returns each license once, below the names of all that have it.
func (r *release) notices() (string, error) {
	terms, err := r.terms()
	if err != nil {
		return "", err
	}
	names := map[string][]string{} // by their terms
	for _, name := range slices.Sorted(maps.Keys(terms)) {
		names[terms[name]] = append(names[terms[name]], name)
	}
	var text strings.Builder
	text.WriteString("wspipe contains software of others, with these licenses.\n")
	for _, term := range slices.SortedFunc(maps.Keys(names), func(a, b string) int { return strings.Compare(names[a][0], names[b][0]) }) {
		fmt.Fprintf(&text, "\n%s\n%s\n\n%s", strings.Repeat("=", 80), strings.Join(names[term], "\n"), term)
	}
	return text.String(), nil
}

// modules returns the directories of the modules that a target compiles in, by path and version.
func (r *release) modules() (map[string]string, error) {
	dirs := map[string]string{}
	for _, target := range allTargets {
		goos, goarch, _ := strings.Cut(target, "/")
		list := r.command("go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}={{.Dir}}{{end}}{{end}}`, ".")
		list.Env = append(list.Env, "GOOS="+goos, "GOARCH="+goarch)
		out, err := list.Output()
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
				dirs[name] = dir
			}
		}
	}
	return dirs, nil
}

// terms returns the text of the license of each module that a target compiles in, of Go and of the
// console's terminal.
func (r *release) terms() (map[string]string, error) {
	dirs, err := r.modules()
	if err != nil {
		return nil, err
	}
	goroot, err := r.output("go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs["Go standard library"] = strings.TrimSpace(goroot)
	terms := map[string]string{}
	for name, dir := range dirs {
		if terms[name], err = licenseText(dir); err != nil {
			return nil, err
		}
	}
	return terms, r.addVendored(terms)
}

// licenseText returns the license of the module in dir.
func licenseText(dir string) (string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return "", err
	}
	var texts []string
	for _, entry := range entries {
		if licenseFile.MatchString(entry.Name()) {
			content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				return "", err
			}
			texts = append(texts, strings.Trim(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")+"\n")
		}
	}
	if texts == nil {
		return "", fmt.Errorf("no license in %s", dir)
	}
	return strings.Join(texts, "\n"), nil
}

// vendored is the directory of the console's terminal.
const vendored = "static/vendor/xterm"

// npmPackage is a line of VERSIONS in vendored.
var npmPackage = regexp.MustCompile(`(?m)^@xterm/(\S+) (\S+) sha512-(\S+)$`)

// addVendored adds the licenses of the console's terminal.
func (r *release) addVendored(terms map[string]string) error {
	dir := filepath.Join(r.root, vendored)
	versions, err := os.ReadFile(filepath.Join(dir, "VERSIONS"))
	if err != nil {
		return err
	}
	for _, m := range npmPackage.FindAllStringSubmatch(string(versions), -1) {
		content, err := os.ReadFile(filepath.Join(dir, "LICENSE."+m[1]))
		if err != nil {
			return err
		}
		terms["@xterm/"+m[1]+" "+m[2]] = strings.TrimSpace(string(content)) + "\n"
	}
	return nil
}
