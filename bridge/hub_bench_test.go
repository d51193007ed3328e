//go:build unix

package bridge

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// BenchmarkHub delivers lines of 100 bytes to viewers over Unix sockets; a
// message is one delivery.
func BenchmarkHub(b *testing.B) {
	for _, viewers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(viewers), func(b *testing.B) {
			child := newPuppet(b)
			h := startHub(b, child, HubOptions{Slow: SlowBlock})
			for range viewers {
				v := h.join(link{network: "unix"}, Options{})
				v.SetDeadline(time.Time{})
				go io.Copy(io.Discard, v.Conn) // ends with the connection
			}
			lines := strings.Repeat(strings.Repeat("x", 99)+"\n", 100)
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				if sent%(100*viewers) == 0 {
					io.WriteString(child.far[1], lines)
				}
				sent++
			}
			child.exit(0, "")
			h.Stop()
		})
	}
}
