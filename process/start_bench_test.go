//go:build unix

package process

import (
	"io"
	"os"
	"testing"
)

// BenchmarkStart starts a child that exits at once, and waits for the end of its session. The case
// bare is the cost of fork, exec and wait alone.
func BenchmarkStart(b *testing.B) {
	path, err := Resolve("true")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("child", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := Start(Spec{Path: path})
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, c.Stdout())
			io.Copy(io.Discard, c.Stderr())
			if code, _ := c.Exit(); code != 0 {
				b.Fatalf("exit %d", code)
			}
			c.Stop()
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p, err := os.StartProcess(path, []string{path}, &os.ProcAttr{Env: []string{}})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
