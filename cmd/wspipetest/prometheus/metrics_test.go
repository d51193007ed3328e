//go:build unix

package prometheus_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"wspipe/cmd/wspipetest"
)

func TestMain(m *testing.M) { os.Exit(wspipetest.Main(m)) }

func TestMetricsPassPromtool(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin")
	s := wspipetest.Start(t, "--admin="+socket, "sh", "-c", `read line; exit 3`)
	c := wspipetest.Dial(t, s.WS, nil)
	c.Send("hello")
	c.ExpectEnd(1000, "exit 3")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	var text []byte
	var header http.Header
	wspipetest.Eventually(t, "the exit", func() bool {
		resp, err := client.Get("http://localhost/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		header = resp.Header
		if text, err = io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(text, []byte(`wspipe_exits_total{status="exit 3"} 1`))
	})
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if format := expfmt.ResponseFormat(header); format.FormatType() != expfmt.TypeTextPlain {
		t.Errorf("Content-Type %q", header.Get("Content-Type"))
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 11 {
		t.Errorf("%d families, want 11", len(families))
	}
	for name, family := range families {
		if family.GetHelp() == "" || family.Type == nil || family.GetType().String() == "UNTYPED" {
			t.Errorf("%s: HELP %q, TYPE %v", name, family.GetHelp(), family.Type)
		}
	}
}
