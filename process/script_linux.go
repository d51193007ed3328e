package process

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// binfmtDir has a file for each executable format registered with the kernel.
const binfmtDir = "/proc/sys/fs/binfmt_misc"

// isRegistered reports whether a format registered with the kernel (binfmt_misc) matches
// the file at path, which begins with head.
func isRegistered(path, head string) bool {
	entries, _ := filepath.Glob(binfmtDir + "/*") // fails only for a bad pattern
	for _, entry := range entries {
		if text, err := os.ReadFile(entry); err == nil && matchesFormat(string(text), path, head) {
			return true
		}
	}
	return false
}

// matchesFormat reports whether the file at path, which begins with head, matches entry,
// the content of a file in binfmtDir.
func matchesFormat(entry, path, head string) bool {
	fields := make(map[string]string)
	for line := range strings.Lines(entry) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		fields[name] = value
	}
	if _, enabled := fields["enabled"]; !enabled {
		return false
	}
	if extension := fields["extension"]; extension != "" {
		return strings.HasSuffix(path, extension)
	}
	magic, _ := hex.DecodeString(fields["magic"])
	offset, _ := strconv.Atoi(fields["offset"])
	if len(magic) == 0 || offset < 0 || len(head) < offset+len(magic) {
		return false
	}
	found := []byte(head[offset : offset+len(magic)])
	if mask, _ := hex.DecodeString(fields["mask"]); len(mask) == len(magic) {
		for i := range found {
			found[i] &= mask[i]
			magic[i] &= mask[i]
		}
	}
	return bytes.Equal(found, magic)
}
