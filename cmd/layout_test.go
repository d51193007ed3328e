package cmd_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport lists which of our packages each package may import. Imports only point down.
var mayImport = map[string][]string{
	"wspipe":                {"wspipe/cmd"},
	"wspipe/cmd":            {"wspipe/bridge", "wspipe/bridge/channel", "wspipe/bridge/framing", "wspipe/cmd/connect", "wspipe/process", "wspipe/server", "wspipe/server/access", "wspipe/server/admin", "wspipe/server/listen", "wspipe/server/recording", "wspipe/server/param"},
	"wspipe/cmd/connect":    {"wspipe/bridge/channel", "wspipe/bridge/trace", "wspipe/bridge/vt", "wspipe/bridge/wire"},
	"wspipe/cmd/wspipetest": {},
	"wspipe/server": {"wspipe/bridge", "wspipe/bridge/channel", "wspipe/bridge/framing", "wspipe/bridge/trace", "wspipe/bridge/wire", "wspipe/process",
		"wspipe/server/access", "wspipe/server/admin", "wspipe/server/listen", "wspipe/server/param", "wspipe/server/recording", "wspipe/static"},
	"wspipe/server/access":    {"wspipe/bridge/channel", "wspipe/server/watch"},
	"wspipe/server/admin":     {},
	"wspipe/server/recording": {"wspipe/bridge/framing"},
	"wspipe/server/listen":    {"wspipe/server/watch"},
	"wspipe/server/param":     {},
	"wspipe/server/watch":     {},
	"wspipe/bridge":           {"wspipe/bridge/channel", "wspipe/bridge/framing", "wspipe/bridge/vt", "wspipe/bridge/wire"},
	"wspipe/bridge/channel":   {},
	"wspipe/bridge/framing":   {},
	"wspipe/bridge/trace":     {}, // frames of any server, so it shares no encoder with bridge/wire
	"wspipe/bridge/vt":        {"wspipe/bridge/framing"},
	"wspipe/bridge/wire":      {},
	"wspipe/process":          {},
	"wspipe/static":           {},
}

// onlyIn lists the packages that only some of ours may import.
var onlyIn = map[string][]string{
	"github.com/spf13/cobra": {"wspipe/cmd"},
	"github.com/spf13/pflag": {"wspipe/cmd"},
	"golang.org/x/term":      {"wspipe/cmd/connect"},
	"net/http":               {"wspipe/server", "wspipe/server/access", "wspipe/server/admin", "wspipe/cmd/connect"},
	"os/exec":                {"wspipe/process"},
}

func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "wspipe/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(pkg.ImportPath, "wspipe/examples/") {
			continue
		}
		allowed, known := mayImport[pkg.ImportPath]
		if !known && len(pkg.Imports) > 0 {
			t.Errorf("%s is a package that this test does not know", pkg.ImportPath)
		}
		for _, imported := range pkg.Imports {
			if strings.HasPrefix(imported, "wspipe") && !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s", pkg.ImportPath, imported)
			}
			if owners, ok := onlyIn[imported]; ok && !slices.Contains(owners, pkg.ImportPath) && pkg.ImportPath != "wspipe/cmd/wspipetest" {
				t.Errorf("%s imports %s, which is for %s alone", pkg.ImportPath, imported, strings.Join(owners, ", "))
			}
		}
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	const maxFile, maxFunc = 400, 50
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		line := func(pos token.Pos) int { return fset.Position(pos).Line }
		if n := line(file.FileEnd); n > maxFile {
			t.Errorf("%s has %d lines", path, n)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && line(f.End())-line(f.Pos()) > maxFunc {
				t.Errorf("%s: %s has %d lines", path, f.Name.Name, line(f.End())-line(f.Pos()))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
