package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// printer is a child that prints numbered lines.
type printer struct {
	lines, width int
	rate         float64 // lines a second; 0: as fast as can be
	wait         bool    // for a line of input before the first
}

// print prints all lines, each as soon as it is due. What is due at once leaves
// in one write.
func (p printer) print(in io.Reader, out io.Writer) error {
	if p.wait {
		if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
			return fmt.Errorf("wait for a line: %w", err)
		}
	}
	w := bufio.NewWriterSize(out, 64<<10)
	padding := strings.Repeat("x", p.width)
	start := time.Now()
	var line []byte
	for i := range p.lines {
		if p.rate > 0 {
			due := start.Add(time.Duration(float64(i) / p.rate * float64(time.Second)))
			if d := time.Until(due); d > 0 {
				if err := w.Flush(); err != nil {
					return err
				}
				time.Sleep(d)
			}
		}
		line = fmt.Appendf(line[:0], "%d %d ", i, time.Now().UnixNano())
		line = append(line, padding[min(len(line), len(padding)):]...)
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}
