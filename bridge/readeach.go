package bridge

import (
	"io"

	"wspipe/bridge/wire"
)

// readNow reads what r has without waiting, if r supports that.
func readNow(r io.Reader, p []byte) (n int) {
	if r, ok := r.(interface{ ReadNow(p []byte) int }); ok {
		return r.ReadNow(p)
	}
	return 0
}

// readEach calls f with the result of each read of r, until its end. It uses a small buffer
// for a quiet stream, but f gets what one write(2) has put into a pipe in one piece.
func readEach(r io.Reader, f func(p []byte)) {
	small := make([]byte, wire.SmallBlock)
	for buf := small; ; {
		wasSmall := len(buf) == wire.SmallBlock
		n, err := r.Read(buf)
		if wasSmall && n == wire.SmallBlock {
			buf = wire.GetBlock()
			copy(buf, small)
			n += readNow(r, buf[n:])
		}
		if n > 0 {
			f(buf[:n])
		}
		if err != nil {
			wire.PutBlock(buf)
			return
		}
		if !wasSmall && n < wire.SmallBlock {
			wire.PutBlock(buf)
			buf = small
		}
	}
}
