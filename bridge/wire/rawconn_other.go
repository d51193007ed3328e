//go:build !unix

package wire

import "errors"

// On these systems a syscall.RawConn cannot try to read or write without waiting.

type (
	rawWriter struct{}
	rawReader struct{}
)

func newRawWriter(any) *rawWriter                        { return nil }
func newRawReader(any, func() []byte, func()) *rawReader { return nil }

func (*rawWriter) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (*rawReader) read() (int, error)        { return 0, errors.ErrUnsupported }
