//go:build unix

package wspipetest_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

var (
	closeCode   = regexp.MustCompile(`\b(10(?:0\d|1[0-5])|4\d{3})\b|\bwebsocket\.(Status\w+)`)
	noCloseCode = regexp.MustCompile(`RFC \d+|"pid":\d+`)
	newEnd      = regexp.MustCompile(`\bEnd\{Code: *(websocket\.Status|\d)\w*`)
	goComment   = regexp.MustCompile(`//.*`)
	lifetimeRow = regexp.MustCompile(`(?m)^\| ([14]\d{3}\b[^|]*)\|`)
	consoleRow  = regexp.MustCompile(`(?m)^  \d{4}: \[`)
)

// closeCodes returns the close codes in text, in order. Of other numbers it takes
// those from 1000 to 1015 and from 4000 to 4999.
func closeCodes(text string) (codes []int) {
	for _, m := range closeCode.FindAllStringSubmatch(noCloseCode.ReplaceAllString(text, ""), -1) {
		if code, err := strconv.Atoi(m[1]); err == nil {
			codes = append(codes, code)
		}
		for code := 1000; code <= 1015; code++ {
			if websocket.StatusCode(code).String() == m[2] {
				codes = append(codes, code)
			}
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// TestCloseCodeTable checks that bridge/end.go has every close code of ours that
// the code, the client module, the console and docs mention, and that the console
// and docs explain all of them.
func TestCloseCodeTable(t *testing.T) {
	t.Parallel()
	table := closeCodes(goComment.ReplaceAllString(read(t, "../../bridge/end.go"), ""))
	// The last private code is the client module's own, and ends the range of --share=mux.
	// 4500 is an example of a code that a program of --share=mux chooses, 4003 of --exit-close-code.
	known := append([]int{4003, 4500, 4999}, table...)
	files := pages(t)
	for _, pattern := range strings.Fields("bridge/*.go bridge/*/*.go server/*.go cmd/*.go cmd/connect/*.go " +
		"static/client.* static/console/end.js static/console/connection.js examples/html/*") {
		found, err := filepath.Glob("../../" + pattern)
		if err != nil || found == nil {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		file = strings.TrimPrefix(file, "../../")
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text := read(t, "../../"+file)
		if end := newEnd.FindString(text); end != "" && file != "bridge/end.go" {
			t.Errorf("%s has %s, which belongs in bridge/end.go", file, end)
		}
		for _, code := range closeCodes(text) {
			if code >= 4000 && !slices.Contains(known, code) { // the others are in the registry of RFC 6455
				t.Errorf("%s mentions the close code %d, which bridge/end.go does not have", file, code)
			}
		}
	}

	var rows []string
	for _, m := range lifetimeRow.FindAllStringSubmatch(read(t, "../../docs/lifetime.md"), -1) {
		rows = append(rows, m[1])
	}
	sent := slices.DeleteFunc(slices.Clone(table), func(code int) bool { return code == 1006 })
	if got := closeCodes(strings.Join(rows, "\n")); !slices.Equal(got, sent) {
		t.Errorf("docs/lifetime.md explains the close codes %v, but bridge/end.go has %v", got, sent)
	}
	// The console explains an exit status, whatever the code.
	explained := append([]int{1000, 4000}, closeCodes(strings.Join(consoleRow.FindAllString(read(t, "../../static/console/end.js"), -1), "\n"))...)
	for _, code := range table {
		if !slices.Contains(explained, code) {
			t.Errorf("static/console/end.js does not explain the close code %d of bridge/end.go", code)
		}
	}
}
