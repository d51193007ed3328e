package main

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// checkImage checks the container image in dir, as docker load and as the other tools read it, and
// runs it.
func checkImage(t *testing.T, dir string) {
	t.Helper()
	if !slices.Contains(packagedTargets, hostTarget()) {
		return
	}
	t.Run("image", func(t *testing.T) {
		path := filepath.Join(dir, "wspipe-"+testVersion+"-linux-"+runtime.GOARCH+".oci.tar")
		if info, err := os.Stat(path); err != nil || info.Size() >= 14_000_000 {
			t.Errorf("%v, %v", info, err)
		}
		image := readLayout(t, path)
		docker, err := tarball.ImageFromPath(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range []v1.Image{image, docker} {
			if err := validate.Image(image); err != nil {
				t.Error(err)
			}
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		name, err := docker.ConfigName()
		if err != nil || !strings.Contains(output(t, "tar", "-tf", path), name.Hex) {
			t.Errorf("manifest.json names no blob of the layout: %v", err)
		}
		if config.Architecture != runtime.GOARCH || config.Config.User != "65532:65532" || config.Config.Labels["org.opencontainers.image.version"] != testVersion {
			t.Errorf("%+v", config)
		}
		root := t.TempDir()
		extractImage(t, image, root)
		runImage(t, root, config)
	})
}

// readLayout returns the image of the image layout in a .tar.
func readLayout(t *testing.T, path string) v1.Image {
	t.Helper()
	dir := t.TempDir()
	output(t, "tar", "-xf", path, "-C", dir)
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	d := manifest.Manifests[0]
	if len(manifest.Manifests) != 1 || d.Platform.String() != hostTarget() || d.Annotations["org.opencontainers.image.ref.name"] != "wspipe:"+testVersion {
		t.Errorf("%+v", manifest)
	}
	image, err := index.Image(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// extractImage writes the files of image to root and checks that every user may run the program.
func extractImage(t *testing.T, image v1.Image, root string) {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	var names []string
	for archive := tar.NewReader(content); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o555 != 0o555 || (h.Mode&0o002 != 0) != (h.Mode == 0o1777) {
			t.Errorf("%+v", h)
		}
		names = append(names, h.Name)
		path := filepath.Join(root, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o755)
		} else {
			program, _ := io.ReadAll(archive)
			err = os.WriteFile(path, program, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(names, " "); got != "tmp usr usr/bin usr/bin/wspipe" {
		t.Errorf("files %q", got)
	}
}

// runImage runs the entry point as process 1 with nothing but the files in root, connects once and
// stops it.
func runImage(t *testing.T, root string, config *v1.ConfigFile) {
	t.Helper()
	needs(t, "bwrap")
	if out, err := exec.Command("bwrap", "--ro-bind", "/", "/", "--unshare-all", "true").CombinedOutput(); err != nil {
		lack(t, "a permission to create namespaces: %s", out)
	}
	user, group, _ := strings.Cut(config.Config.User, ":")
	sockets := t.TempDir()
	args := []string{"--unshare-all", "--as-pid-1", "--uid", user, "--gid", group, "--clearenv", "--bind", root, "/", "--dev", "/dev", "--proc", "/proc",
		"--bind", sockets, "/tmp", "--chdir", config.Config.WorkingDir}
	for _, variable := range config.Config.Env {
		name, value, _ := strings.Cut(variable, "=")
		args = append(args, "--setenv", name, value)
	}
	args = append(append(args, config.Config.Entrypoint...), "--unixsocket=/tmp/s", "--", "wspipe", "--version")
	c := exec.Command("bwrap", args...)
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "wspipe: serving ") {
		t.Log(lines.Text())
	}
	if got := output(t, filepath.Join(root, "usr/bin/wspipe"), "connect", "unix:"+filepath.Join(sockets, "s")); !strings.HasPrefix(got, "wspipe "+testVersion+" ") {
		t.Errorf("got %q", got)
	}
	stopInit(t, c.Process.Pid, user)
	go io.Copy(io.Discard, log) // ends with the process
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// stopInit sends SIGTERM to the child of process pid, which is process 1 of its namespace and runs
// as user.
func stopInit(t *testing.T, pid int, user string) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", child))
	if err != nil || !regexp.MustCompile(`(?m)^NSpid:.*\t1$`).Match(status) {
		t.Errorf("%v: %s", err, status)
	}
	users, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", child))
	if err != nil || !strings.HasPrefix(strings.TrimSpace(string(users)), user+" ") {
		t.Errorf("%v: users %q", err, users)
	}
	if err := syscall.Kill(child, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
