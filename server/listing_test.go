//go:build unix

package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"wspipe/cmd/wspipetest"
)

// TestListingsAreBounded: a large directory has an incomplete list, which says so.
func TestListingsAreBounded(t *testing.T) {
	t.Parallel()
	numbered := func(prefix string, n int, content string) map[string]string {
		files := make(map[string]string)
		for i := range n {
			files[fmt.Sprintf("%s%05d", prefix, i)] = content
		}
		return files
	}
	with := func(files map[string]string, name string) map[string]string {
		files[name] = "#!"
		return files
	}
	levels := func(n int) string { return strings.Repeat("d/", n) + "run" }
	for name, test := range map[string]struct {
		files map[string]string
		more  bool
	}{
		"as many as are listed": {numbered("", maxListed, "#!"), false},
		"one more":              {numbered("", maxListed+1, "#!"), true},
		"as many as are seen":   {with(numbered("text", maxScanned-1, ""), "run"), false},
		"more than are seen":    {with(numbered("sub/text", maxScanned-1, ""), "run"), true},
		"as deep as may be":     {with(map[string]string{"run": "#!"}, levels(maxListedDepth-1)), false},
		"deeper":                {with(map[string]string{"run": "#!"}, levels(maxListedDepth)), true},
		"nothing":               {map[string]string{"text": ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for name, content := range test.files {
				if content == "#!" && strings.Count(name, "/") < maxListedDepth {
					want = append(want, "/"+name)
				}
			}
			slices.Sort(want)
			want = want[:min(len(want), maxListed)]
			dir, source := t.TempDir(), wspipetest.Tree(t, map[string]string{"program": "#!", "text": ""})
			for name, content := range test.files {
				from, to := source+"/text", filepath.Join(dir, name)
				if content == "#!" {
					from = source + "/program"
				}
				os.MkdirAll(filepath.Dir(to), 0o700)
				if err := os.Link(from, to); err != nil {
					t.Fatal(err)
				}
			}
			d := &programDir{path: dir}
			if names, more := d.list(); !slices.Equal(names, want) || more != test.more {
				t.Errorf("got %d programs, %.100q, more %v, want %d", len(names), names, more, len(want))
			}
		})
	}
}

// TestListingsOfCyclicLinks: links to an ancestor are not followed.
func TestListingsOfCyclicLinks(t *testing.T) {
	t.Parallel()
	d := &programDir{path: wspipetest.Tree(t, map[string]string{
		"a/run": "#!", "a/self": "-> .", "a/top": "-> ..", "a/b": "-> ../b", "b/a": "-> ../a", "b/run": "#!", "c": "-> a/top/a/self/b",
	})}
	names, more := d.list()
	if want := []string{"/a/b/run", "/a/run", "/b/a/run", "/b/run", "/c/a/run", "/c/run"}; !slices.Equal(names, want) || more {
		t.Errorf("got %q, more %v, want %q", names, more, want)
	}
	gone := &programDir{path: filepath.Join(d.path, "none")}
	if names, more := gone.list(); len(names) != 0 || more {
		t.Errorf("a directory that is not there: %q, %v", names, more)
	}
}
