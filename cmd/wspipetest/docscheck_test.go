//go:build unix

package wspipetest_test

import (
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wspipe/cmd/wspipetest"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	markup   = regexp.MustCompile(`[^\pL\pN _-]`)
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
)

// anchors returns the anchors that GitHub makes of the headings of a page.
func anchors(page string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		text := markup.ReplaceAllString(linkText.ReplaceAllString(strings.ToLower(m[1]), "$1"), "")
		all = append(all, strings.ReplaceAll(text, " ", "-"))
	}
	return all
}

// TestDocsLinks checks that the file and the heading of each relative link exist.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	for _, page := range append(pages(t), "CHANGELOG.md") {
		text := read(t, "../../"+page)
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" {
				continue
			}
			target := page
			if u.Path != "" {
				target = path.Join(path.Dir(page), u.Path)
			}
			if _, err := os.Stat("../../" + target); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if u.Fragment != "" && !slices.Contains(anchors(read(t, "../../"+target)), u.Fragment) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// TestDocsIndex checks that the index of the manual, or that of the directory, links to
// each page.
func TestDocsIndex(t *testing.T) {
	t.Parallel()
	const manual = "docs/README.md"
	for _, page := range pages(t) {
		index := path.Join(path.Dir(page), "README.md")
		if page == index {
			index = manual // of a directory
		}
		if !strings.HasPrefix(page, "docs/") || page == manual {
			continue
		}
		if !linksTo(t, manual, page) && !linksTo(t, index, page) {
			t.Errorf("%s does not link to %s", index, page)
		}
	}
}

// linksTo reports whether the page from has a link to the page to.
func linksTo(t *testing.T, from, to string) bool {
	t.Helper()
	return slices.ContainsFunc(link.FindAllStringSubmatch(read(t, "../../"+from), -1), func(m []string) bool {
		file, _, _ := strings.Cut(m[1], "#")
		return path.Join(path.Dir(from), file) == to
	})
}

var fileName = regexp.MustCompile(`^\w[\w./-]*\.(go|js|sh|py|html|css|md|golden)$`)

// TestDocsFiles checks that the files of ours that pages name in backquotes exist.
// Pages may leave out the directory, or its beginning.
func TestDocsFiles(t *testing.T) {
	t.Parallel()
	var files strings.Builder // each between a slash and a newline
	dirs := map[string]bool{}
	err := filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			files.WriteString(name + "\n")
		case d.Name() == ".git" || d.Name() == "node_modules":
			return filepath.SkipDir
		default:
			dirs[d.Name()] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		for _, m := range codeSpan.FindAllStringSubmatch(fence.ReplaceAllString(read(t, "../../"+page), ""), -1) {
			dir, _, _ := strings.Cut(m[1], "/")
			ours := fileName.MatchString(m[1]) && (dirs[dir] || strings.HasSuffix(m[1], ".go"))
			if ours && !strings.Contains(files.String(), "/"+m[1]+"\n") {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
}

var (
	// namesIn matches a Go file and the names that follow it, both in backquotes.
	namesIn = regexp.MustCompile("`([\\w/]+\\.go)`((?:,? `[A-Za-z]\\w*(?:\\.\\w+)?`)+)")
	// nameBefore matches a name and the Go file that follows it in parentheses.
	nameBefore = regexp.MustCompile("(`[A-Za-z]\\w*(?:\\.\\w+)?`) \\(`([\\w/]+\\.go)`\\)")
)

// TestDocsNames checks that the Go names in ARCHITECTURE.md that come with a file are
// declared in that file.
func TestDocsNames(t *testing.T) {
	t.Parallel()
	text := read(t, "../../docs/ARCHITECTURE.md")
	pairs := namesIn.FindAllStringSubmatch(text, -1)
	for _, m := range nameBefore.FindAllStringSubmatch(text, -1) {
		pairs = append(pairs, []string{m[0], m[2], m[1]})
	}
	if len(pairs) == 0 {
		t.Error("no names found")
	}
	for _, m := range pairs {
		source, err := os.ReadFile("../../" + m[1])
		if err != nil {
			t.Error(err)
		}
		for _, name := range codeSpan.FindAllStringSubmatch(m[2], -1) {
			pattern := `(?m)^(func|type|var) ` + name[1] + `\b`
			if receiver, method, ok := strings.Cut(name[1], "."); ok {
				pattern = `(?m)^func \((\w+ )?\*?` + receiver + `\) ` + method + `\(`
			}
			if !regexp.MustCompile(pattern).Match(source) {
				t.Errorf("%s does not declare %s", m[1], name[1])
			}
		}
	}
}

// foreignFlags are those in docs that belong to other programs.
var foreignFlags = strings.Fields(`--data-binary --data-urlencode --experimental-websocket --from --init --limit-rate --now --prefix --unix-socket
	--as --as-pid- --bind --bounding-set --clearenv --collect --cpu --default-signal --dev --die-with-parent --fsize --ignore-signal
	--inh-caps --memory --network --new-session --no-new-privs --nofile --pids-limit --proc --property --quiet --rm --ro-bind --scope
	--save --share-net --sig-proxy --symlink --tmpfs --unshare-all
	--close-signal --height --index --max-connection --permit-arguments --tls-ca-crt --tls-crt --tls-key --width --ws-origin`)

var (
	helpFlag = regexp.MustCompile(`(?m)^ +(?:-h, )?(--[a-z-]+)`)
	flagName = regexp.MustCompile(`(?:^|[\s` + "`" + `'("|/])(--[a-z][a-z-]*)`)
)

// TestDocsFlags checks that docs name each flag of wspipe and wspipe connect, and
// no others.
func TestDocsFlags(t *testing.T) {
	t.Parallel()
	defined := map[string]bool{}
	for _, args := range [][]string{{"--help-all"}, {"connect", "--help"}, {"kill", "--help"}, {"ps", "--help"}, {"replay", "--help"}} {
		out, err := exec.Command(wspipetest.Binary(t), args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range helpFlag.FindAllStringSubmatch(string(out), -1) {
			defined[m[1]] = true
		}
	}
	named := map[string]bool{}
	for _, page := range pages(t) {
		for _, m := range flagName.FindAllStringSubmatch(read(t, "../../"+page), -1) {
			if named[m[1]] = true; !defined[m[1]] && !slices.Contains(foreignFlags, m[1]) {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
	for flag := range defined {
		if !named[flag] {
			t.Errorf("no page names %s", flag)
		}
	}
}

// TestDocsWidth keeps README short and all pages readable in a terminal. Tables
// and logs have no width.
func TestDocsWidth(t *testing.T) {
	t.Parallel()
	const width, length = 120, 150
	for _, page := range pages(t) {
		if page == "docs/ARCHITECTURE.md" {
			continue
		}
		text := strings.Split(strings.TrimSuffix(read(t, "../../"+page), "\n"), "\n")
		if page == "README.md" && len(text) > length {
			t.Errorf("README.md has %d lines, more than %d", len(text), length)
		}
		for i, line := range text {
			wide := page != "README.md" && (strings.HasPrefix(line, "|") || strings.HasPrefix(line, "time="))
			if n := len([]rune(line)); n > width && !wide {
				t.Errorf("%s:%d has %d columns, more than %d", page, i+1, n, width)
			}
		}
	}
}

// TestDocsBeginWithACommand: each page of the manual begins with commands to copy
// and what they print.
func TestDocsBeginWithACommand(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		if page == "docs/ARCHITECTURE.md" {
			continue
		}
		all := blocks(read(t, "../../"+page))
		output := slices.IndexFunc(all, func(b block) bool { return b.language == "text" })
		if len(all) == 0 || all[0].language != "sh" || output < 1 || output > 3 {
			t.Errorf("%s does not begin with commands and their output", page)
		}
	}
}

// TestDocsNotRun checks that notRun lists no block that is gone.
func TestDocsNotRun(t *testing.T) {
	t.Parallel()
	unused := maps.Clone(notRun)
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, "../../"+page)) {
			if b.language == "sh" {
				delete(unused, b.firstWords())
			}
		}
	}
	for words := range unused {
		t.Errorf("no page has a block that begins with %q", words)
	}
}

// translations is the directory of the Chinese lessons. The English ones are above it.
const translations = "docs/learn/zh/"

// TestDocsTranslations checks that each lesson exists in English and in Chinese, with
// the same code blocks.
func TestDocsTranslations(t *testing.T) {
	t.Parallel()
	lessons := map[string]int{}
	for _, page := range pages(t) {
		if dir := path.Dir(page) + "/"; dir == translations || dir == "docs/learn/" {
			lessons[path.Base(page)]++
		}
	}
	for name, languages := range lessons {
		if languages != 2 {
			t.Errorf("%s is in one language only", name)
		} else if !slices.Equal(blocks(read(t, "../../docs/learn/"+name)), blocks(read(t, "../../"+translations+name))) {
			t.Errorf("%s differs in the code blocks of its translation", name)
		}
	}
	if len(lessons) == 0 {
		t.Error("no lessons found")
	}
}
