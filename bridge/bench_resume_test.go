//go:build unix

package bridge

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// BenchmarkResumedLines is one line from the child to a client that may come back.
func BenchmarkResumedLines(b *testing.B) {
	child := newPuppet(b)
	r := startResumable(b, child, ResumeOptions{})
	a := r.come(-1)
	line := []byte("a line of ordinary length, such as a log has\n")
	block := bytes.Repeat(line, blockSize/len(line))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	go func() { // ends when all is written
		for left := b.N * len(line); left > 0; left -= len(block) {
			child.far[1].Write(block[:min(left, len(block))])
		}
	}()
	a.SetDeadline(time.Now().Add(time.Hour))
	if _, err := io.CopyN(io.Discard, a.client, int64(b.N*(len(line)+1))); err != nil { // a frame has two bytes more than its line, without the newline
		b.Error(err)
	}
}
