package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageUser is neither root nor a user of the host. The image has no /etc/passwd.
const imageUser = "65532:65532"

// writeImage writes the container image for target, with its program. The file is an image layout
// of OCI, and it is what docker save writes: each tool reads one of the two.
func (r *release) writeImage(target, program string) error {
	image, err := r.image(target, program)
	if err != nil {
		return err
	}
	goos, goarch, _ := strings.Cut(target, "/")
	name := "wspipe:" + r.version
	dir := filepath.Join(r.work, "image-"+goarch)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	err = path.AppendImage(image, layout.WithPlatform(v1.Platform{OS: goos, Architecture: goarch}), layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          "docker.io/library/" + name,
		"org.opencontainers.image.ref.name": name,
	}))
	if err != nil {
		return err
	}
	if err := writeDockerManifest(dir, name, image); err != nil {
		return err
	}
	files, err := filesBelow(dir)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.out, "wspipe-"+r.version+"-"+goos+"-"+goarch+".oci.tar"), func(f *os.File) error {
		return writeTar(f, "", files, r.date)
	})
}

// image returns the image for target: the program and a directory for sockets.
func (r *release) image(target, program string) (v1.Image, error) {
	var root bytes.Buffer
	err := writeTar(&root, "", []file{{"tmp/", 0o1777, ""}, {"usr/", 0o755, ""}, {"usr/bin/", 0o755, ""}, {"usr/bin/wspipe", 0o755, program}}, r.date)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(root.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression))
	if err != nil {
		return nil, err
	}
	date := v1.Time{Time: r.date}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: date, CreatedBy: "make dist"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, _ = strings.Cut(target, "/")
	config.Created = date
	config.Config = v1.Config{
		Entrypoint:   []string{"/usr/bin/wspipe"},
		Cmd:          []string{"--help"},
		User:         imageUser,
		WorkingDir:   "/",
		Env:          []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		StopSignal:   "SIGTERM",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "wspipe",
			"org.opencontainers.image.description": summary,
			"org.opencontainers.image.version":     r.version,
			"org.opencontainers.image.created":     r.date.Format("2006-01-02T15:04:05Z"),
			"org.opencontainers.image.licenses":    "MIT",
		},
	}
	return mutate.ConfigFile(image, config)
}

// writeDockerManifest adds manifest.json to an image layout, for docker load.
func writeDockerManifest(dir, name string, image v1.Image) error {
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	blob := func(d v1.Descriptor) string { return "blobs/" + d.Digest.Algorithm + "/" + d.Digest.Hex }
	d := tarball.Descriptor{Config: blob(manifest.Config), RepoTags: []string{name}}
	for _, layer := range manifest.Layers {
		d.Layers = append(d.Layers, blob(layer))
	}
	text, err := json.Marshal(tarball.Manifest{d})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o644)
}

// filesBelow returns the files and directories in dir, sorted.
func filesBelow(dir string) (files []file, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		f := file{filepath.ToSlash(name), 0o644, path}
		if d.IsDir() {
			f.name, f.mode = f.name+"/", 0o755
		}
		files = append(files, f)
		return err
	})
	return files, err
}
