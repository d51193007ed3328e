//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// chart is panels above each other, over the same time.
type chart struct {
	shaded [2]float64 // from one second to another
	shade  string     // what that time is
	panels []panel
}

// panel is a plot of some lines, from zero on.
type panel struct {
	title string
	lines []line
}

// line has a value for each of some seconds.
type line struct {
	name            string
	seconds, values []float64
}

// The layout, in pixels: the plots, the room around and between them.
const (
	plotWidth, plotHeight = 640, 110
	leftRoom, rightRoom   = 60, 20
	topRoom, bottomRoom   = 26, 40
	panelHeight           = topRoom + plotHeight + 12
)

// The colours are of middling brightness, to be seen on white and on black.
const ink = "#808080"

var lineColours = []string{"#3b82d0", "#d97a1f", "#3c9a4e"}

// svg draws c.
func (c chart) svg(w io.Writer) error {
	var b strings.Builder
	width, height := leftRoom+plotWidth+rightRoom, len(c.panels)*panelHeight+bottomRoom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="sans-serif" font-size="11" fill="%s">`+"\n", width, height, ink)
	end := 1.0
	for _, p := range c.panels {
		for _, l := range p.lines {
			end = max(end, slices.Max(l.seconds))
		}
	}
	for i, p := range c.panels {
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", leftRoom, i*panelHeight+topRoom)
		c.drawPanel(&b, p, end)
		if i == len(c.panels)-1 {
			c.drawTime(&b, end)
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (c chart) drawPanel(b *strings.Builder, p panel, end float64) {
	top := 0.0
	for _, l := range p.lines {
		top = max(top, slices.Max(l.values))
	}
	step := tickStep(top, 4)
	top = max(step, math.Ceil(top/step)*step)
	x := func(s float64) float64 { return s / end * plotWidth }
	y := func(v float64) float64 { return plotHeight * (1 - v/top) }

	if from, to := c.shaded[0], c.shaded[1]; to > from {
		fmt.Fprintf(b, `<rect x="%.1f" width="%.1f" height="%d" opacity="0.12"/>`+"\n", x(from), x(to)-x(from), plotHeight)
	}
	write(b, -leftRoom+8, -9, "start", p.title)
	for v := 0.0; v <= top*1.001; v += step {
		fmt.Fprintf(b, `<path d="M0 %.1fH%d" stroke="%s" stroke-opacity="0.3"/>`+"\n", y(v), plotWidth, ink)
		write(b, -6, y(v)+4, "end", fmt.Sprintf("%.10g", v))
	}
	for i, l := range p.lines {
		colour := lineColours[i%len(lineColours)]
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, colour)
		for j, v := range l.values {
			fmt.Fprintf(b, "%.1f,%.1f ", x(l.seconds[j]), y(v))
		}
		b.WriteString(`"/>` + "\n")
		// The names stand in a row, from the right.
		at := plotWidth - 150*float64(len(p.lines)-1-i)
		fmt.Fprintf(b, `<g fill="%s">`, colour)
		write(b, at, -9, "end", l.name)
		b.WriteString("</g>\n")
	}
}

// drawTime draws the axis below the last plot.
func (c chart) drawTime(b *strings.Builder, end float64) {
	unit, name := 1.0, "seconds"
	if end > 180 {
		unit, name = 60, "minutes"
	}
	step := tickStep(end/unit, 10)
	for t := 0.0; t <= end/unit*1.001; t += step {
		at := t * unit / end * plotWidth
		fmt.Fprintf(b, `<path d="M%.1f %dv4" stroke="%s"/>`+"\n", at, plotHeight, ink)
		write(b, at, plotHeight+16, "middle", fmt.Sprintf("%.10g", t))
	}
	if c.shade != "" {
		name += " (shaded: " + c.shade + ")"
	}
	write(b, plotWidth/2, plotHeight+33, "middle", name)
}

var escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;")

// write sets text; anchor says which end of it is at x.
func write(b *strings.Builder, x, y float64, anchor, text string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, escapeText.Replace(text))
}

// tickStep returns 1, 2 or 5 times a power of ten, so that at most n steps reach
// the top.
func tickStep(top float64, n int) float64 {
	if top <= 0 {
		return 1
	}
	least := top / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, step := range []float64{1, 2, 5} {
		if step*power >= least*0.999 {
			return step * power
		}
	}
	return 10 * power
}
