package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// allTargets are the platforms of a release.
var allTargets = []string{"linux/amd64", "linux/arm64", "linux/arm", "darwin/amd64", "darwin/arm64", "freebsd/amd64", "windows/amd64"}

// release is what to build.
type release struct {
	root    string // the source tree, of which only tracked files are used
	out     string
	version string
	targets []string

	date   time.Time // of the commit
	work   string    // temporary files
	common []file    // the files of each archive, besides the program
}

// run builds the release.
func (r *release) run() (err error) {
	if err := r.describe(); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "wspipe-dist"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if err := r.emptyOut(); err != nil {
		return err
	}
	if r.common, err = r.commonFiles(); err != nil {
		return err
	}
	for _, target := range r.targets {
		if err := r.archive(target); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	if err := r.writeSBOM(); err != nil {
		return err
	}
	return r.writeSums()
}

// emptyOut makes the directory to write, without the files of an earlier release.
func (r *release) emptyOut() error {
	old, err := filepath.Glob(filepath.Join(r.out, "wspipe-*"))
	for _, path := range append(old, filepath.Join(r.out, "SHA256SUMS")) {
		if removeErr := os.Remove(path); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	return errors.Join(err, os.MkdirAll(r.out, 0o755))
}

// describe finds out the version and the date of the commit, and makes paths absolute.
func (r *release) describe() error {
	for _, path := range []*string{&r.root, &r.out} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if r.version == "" {
		version, err := r.output("git", "describe", "--tags", "--always", "--dirty")
		if err != nil {
			return err
		}
		r.version = strings.TrimSpace(version)
	}
	r.version = strings.TrimPrefix(r.version, "v")
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		var err error
		if seconds, err = r.output("git", "log", "-1", "--format=%ct"); err != nil {
			return err
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(seconds), 10, 64)
	r.date = time.Unix(n, 0).UTC()
	return err
}

// archive builds the program for target and writes its archive.
func (r *release) archive(target string) error {
	program, err := r.build(target)
	if err != nil {
		return err
	}
	goos, goarch, _ := strings.Cut(target, "/")
	name := fmt.Sprintf("wspipe-%s-%s-%s", r.version, goos, goarch)
	files := append([]file{{filepath.Base(program), 0o755, program}}, r.common...)
	write, extension := writeTarGz, ".tar.gz"
	if goos == "windows" {
		write, extension = writeZip, ".zip"
	}
	err = writeFile(filepath.Join(r.out, name+extension), func(f *os.File) error { return write(f, name, files, r.date) })
	if err == nil && slices.Contains(packagedTargets, target) {
		err = errors.Join(r.writePackages(target, program), r.writeImage(target, program))
	}
	return err
}

// build builds the program for target and returns its path.
func (r *release) build(target string) (string, error) {
	goos, goarch, ok := strings.Cut(target, "/")
	if !ok {
		return "", fmt.Errorf("want GOOS/GOARCH")
	}
	program := filepath.Join(r.work, goos+"-"+goarch, "wspipe")
	if goos == "windows" {
		program += ".exe"
	}
	build := r.command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid= -X wspipe/cmd.release="+r.version, "-o", program, ".")
	build.Env = append(build.Env, "GOOS="+goos, "GOARCH="+goarch)
	return program, build.Run()
}

// hostTarget is the platform on which the release is built, and whose program prints the manual
// page and the completions.
func hostTarget() string { return runtime.GOOS + "/" + runtime.GOARCH }

// command returns a command in the source tree, whose output does not depend on the user's
// environment.
func (r *release) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = r.root
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=",
		"GOAMD64=v1", "GOARM64=v8.0", "GOARM=6", "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.date.Unix(), 10))
	return c
}

// output runs a command in the source tree and returns its output.
func (r *release) output(name string, args ...string) (string, error) {
	out, err := r.command(name, args...).Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), err
}

// writeSums writes SHA256SUMS, for sha256sum -c.
func (r *release) writeSums() error {
	entries, err := os.ReadDir(r.out) // sorted
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// writeFile creates the file at path, and write writes it.
func writeFile(path string, write func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	return f.Close()
}
