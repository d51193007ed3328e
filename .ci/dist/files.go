package main

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// generated are the files that the program prints, and the arguments with which it does.
var generated = []struct{ name, args string }{
	{"man/wspipe.1", "man"},
	{"completions/wspipe.bash", "completion bash"},
	{"completions/_wspipe", "completion zsh"},
	{"completions/wspipe.fish", "completion fish"},
}

// commonFiles returns the files that each archive has, besides the program.
func (r *release) commonFiles() ([]file, error) {
	files := []file{
		{"LICENSE", 0o644, filepath.Join(r.root, "LICENSE")},
		{"THIRD-PARTY-NOTICES", 0o644, filepath.Join(r.root, noticesFile)},
	}
	program, err := r.build(hostTarget())
	if err != nil {
		return nil, err
	}
	for _, g := range generated {
		content, err := r.output(program, strings.Fields(g.args)...)
		if err != nil {
			return nil, err
		}
		f := file{g.name, 0o644, filepath.Join(r.work, path.Base(g.name))}
		if err := os.WriteFile(f.path, []byte(content), 0o644); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	examples, err := r.tracked("examples")
	return append(files, examples...), err
}

// tracked returns the files below dir that git tracks, without tests. Their modes are those that
// git has.
func (r *release) tracked(dir string) (files []file, err error) {
	out, err := r.output("git", "ls-files", "--stage", "-z", dir)
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		stage, name, _ := strings.Cut(entry, "\t")
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f := file{name, 0o644, filepath.Join(r.root, name)}
		if strings.HasPrefix(stage, "100755") {
			f.mode = 0o755
		}
		files = append(files, f)
	}
	return files, err
}
