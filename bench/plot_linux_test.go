package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// sample is a chart with a flat line, a rising one, and names that XML must escape.
func sampleChart() chart {
	times := []float64{0, 300, 600}
	return chart{
		shaded: [2]float64{30, 570},
		shade:  "under load",
		panels: []panel{
			{"memory, MB", []line{{"a<b", times, []float64{12, 12, 12}}, {"c&d", times, []float64{0, 21, 42}}}},
			{"nothing", []line{{"none", times, []float64{0, 0, 0}}}},
		},
	}
}

// TestChart: it is XML, a line's points are where its values belong, and the axes
// are labelled.
func TestChart(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := sampleChart().svg(&b); err != nil {
		t.Fatal(err)
	}
	var texts, points []string
	for dec := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.CharData:
			if s := strings.TrimSpace(string(e)); s != "" {
				texts = append(texts, s)
			}
		case xml.StartElement:
			for _, a := range e.Attr {
				if a.Name.Local == "points" {
					points = append(points, a.Value)
				}
			}
		}
	}
	// Zero is at the bottom, 110, and 60, the end of the axis, at the top.
	want := []string{"0.0,88.0 320.0,88.0 640.0,88.0 ", "0.0,110.0 320.0,71.5 640.0,33.0 ", "0.0,110.0 320.0,110.0 640.0,110.0 "}
	if !slices.Equal(points, want) {
		t.Errorf("points %q, want %q", points, want)
	}
	for _, text := range []string{"a<b", "c&d", "memory, MB", "60", "minutes (shaded: under load)", "10"} {
		if !slices.Contains(texts, text) {
			t.Errorf("no %q among %q", text, texts)
		}
	}
}

func TestTickStep(t *testing.T) {
	t.Parallel()
	for top, want := range map[float64]float64{0: 1, 0.3: 0.1, 4: 1, 4.1: 2, 42: 20, 100: 50, 7900: 2000, 19000: 5000} {
		if got := tickStep(top, 4); got < want*0.999 || got > want*1.001 {
			t.Errorf("%v: %v, want %v", top, got, want)
		}
	}
}
