package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const testVersion = "9.8.7-test"

// copySource copies the tracked files of the source tree to dir, which becomes a git repository.
// The modes of the copies do not depend on the umask.
func copySource(t *testing.T, dir string) {
	t.Helper()
	script := `git ls-files -z | xargs -0 cp --parents -t "$0" && cd "$0" && git init -q && git add -A`
	c := exec.Command("sh", "-c", script, dir)
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestSameBytes builds the release for this machine in two directories, with different umask, time
// zone and locale, at different times.
func TestSameBytes(t *testing.T) {
	dist := filepath.Join(t.TempDir(), "dist")
	if out, err := exec.Command("go", "build", "-o", dist, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var sums []string
	for _, place := range []struct{ umask, dir, zone, locale string }{
		{"022", "a", "UTC", "C"},
		{"077", "much/deeper/directory", "Asia/Tokyo", "tr_TR.UTF-8"},
	} {
		dir := filepath.Join(t.TempDir(), place.dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		copySource(t, dir)
		c := exec.Command("sh", "-c", `umask `+place.umask+` && chmod -R go=u-w . && exec "$0" "$@"`,
			dist, "-root=.", "-o=dist", "-version="+testVersion, "-targets="+hostTarget())
		c.Dir = dir
		c.Env = append(os.Environ(), "TZ="+place.zone, "LC_ALL="+place.locale, "SOURCE_DATE_EPOCH=1700000000")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		check.Dir = filepath.Join(dir, "dist")
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		sum, err := os.ReadFile(filepath.Join(dir, "dist", "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(sum))
		if place.umask == "077" {
			checkPackages(t, filepath.Join(dir, "dist"))
			checkImage(t, filepath.Join(dir, "dist"))
		}
		checkArchive(t, filepath.Join(dir, "dist", "wspipe-"+testVersion+"-"+strings.ReplaceAll(hostTarget(), "/", "-")+".tar.gz"))
	}
	if sums[0] != sums[1] {
		t.Errorf("%s is not the same as %s", sums[0], sums[1])
	}
}

// checkArchive extracts an archive and compares its files with what its program prints.
func checkArchive(t *testing.T, path string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xzf", path, "--strip-components=1", "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(content)
	}
	for args, want := range map[string]string{
		"--license":       read("LICENSE") + "\n" + read("THIRD-PARTY-NOTICES"),
		"man":             read("man/wspipe.1"),
		"completion bash": read("completions/wspipe.bash"),
		"completion zsh":  read("completions/_wspipe"),
		"completion fish": read("completions/wspipe.fish"),
	} {
		out, err := exec.Command(filepath.Join(dir, "wspipe"), strings.Fields(args)...).Output()
		if err != nil || string(out) != want || want == "" {
			t.Errorf("wspipe %s prints other than the file in the archive: %v", args, err)
		}
	}
	checkSBOM(t, filepath.Join(filepath.Dir(path), "wspipe-"+testVersion+".cdx.json"), filepath.Join(dir, "wspipe"))
	if info, err := os.Stat(filepath.Join(dir, "wspipe")); err != nil || info.Size() >= 12<<20 {
		t.Errorf("the program has 12 MB or more: %v, %v", info, err)
	}
	if out, err := exec.Command(filepath.Join(dir, "wspipe"), "--version").Output(); !strings.HasPrefix(string(out), "wspipe "+testVersion+" ") {
		t.Errorf("version %q, %v", out, err)
	}
	if out, err := exec.Command(filepath.Join(dir, "examples/bash/count.sh")).Output(); err != nil || !strings.HasPrefix(string(out), "1\n") {
		t.Errorf("an example prints %q, %v", out, err)
	}
}

// checkSBOM checks that the bill of materials lists what program says that it has compiled in, and
// the console's terminal.
func checkSBOM(t *testing.T, path, program string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list sbom
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), "pkg:npm/%40xterm/xterm@6.0.0"}
	for _, module := range info.Deps {
		want = append(want, "pkg:golang/"+module.Path+"@"+module.Version)
	}
	for _, purl := range want {
		if !slices.ContainsFunc(list.Components, func(c component) bool { return c.PURL == purl }) {
			t.Errorf("%s is not in the SBOM", purl)
		}
	}
}

// TestArchiveEntries checks names, modes, owners and dates in both formats.
func TestArchiveEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	date := time.Unix(1_700_000_000, 0).UTC()
	files := []file{{"wspipe", 0o755, path}, {"man/wspipe.1", 0o644, path}}
	var tarred, zipped bytes.Buffer
	if err := errors.Join(writeTarGz(&tarred, "dir", files, date), writeZip(&zipped, "dir", files, date)); err != nil {
		t.Fatal(err)
	}
	uncompressed, err := gzip.NewReader(&tarred)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(uncompressed)
	other, err := zip.NewReader(bytes.NewReader(zipped.Bytes()), int64(zipped.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		h, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "dir/"+f.name || h.Mode != f.mode || h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(date) {
			t.Errorf("%+v", h)
		}
		if z := other.File[i]; z.Name != "dir/"+f.name || int64(z.Mode()) != f.mode || !z.Modified.Equal(date) {
			t.Errorf("%+v", z.FileHeader)
		}
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Error(err)
	}
}

// TestNoticesAreCurrent fails after a change of go.mod until make notices has run.
func TestNoticesAreCurrent(t *testing.T) {
	r := release{root: "../.."}
	want, err := r.notices()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../" + noticesFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: run make notices", noticesFile)
	}
}
