package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sbom is a software bill of materials, in the JSON format of CycloneDX 1.6.
type sbom struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Timestamp time.Time `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Group   string `json:"group,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"` // hexadecimal
}

// newComponent returns a component whose package URL is kind/name@version.
func newComponent(kind, name, version string) component {
	purl := "pkg:" + kind + "/" + strings.ReplaceAll(name, "@", "%40") + "@" + version
	return component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}
}

// writeSBOM lists everything that a target compiles in: modules, Go's standard library and the
// console's terminal.
func (r *release) writeSBOM() error {
	dirs, err := r.modules()
	if err != nil {
		return err
	}
	goVersion, err := r.output("go", "env", "GOVERSION")
	if err != nil {
		return err
	}
	program := newComponent("golang", "wspipe", r.version)
	program.Type = "application"
	list := sbom{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{r.date, program},
		Components: []component{newComponent("golang", "std", strings.TrimPrefix(strings.TrimSpace(goVersion), "go"))}}
	for _, module := range slices.Sorted(maps.Keys(dirs)) {
		name, version, _ := strings.Cut(module, " ")
		list.Components = append(list.Components, newComponent("golang", name, version))
	}
	versions, err := os.ReadFile(filepath.Join(r.root, vendored, "VERSIONS"))
	if err != nil {
		return err
	}
	for _, m := range npmPackage.FindAllStringSubmatch(string(versions), -1) {
		sum, err := base64.StdEncoding.DecodeString(m[3])
		if err != nil {
			return err
		}
		c := newComponent("npm", "@xterm/"+m[1], m[2])
		c.Group, c.Name = "@xterm", m[1]
		c.Hashes = []hash{{"SHA-512", fmt.Sprintf("%x", sum)}}
		list.Components = append(list.Components, c)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "wspipe-"+r.version+".cdx.json"), append(text, '\n'), 0o644)
}
