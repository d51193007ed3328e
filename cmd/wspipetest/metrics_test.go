//go:build unix

package wspipetest_test

import (
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"wspipe/cmd/wspipetest"
)

var sample = regexp.MustCompile(`^(\w+(?:\{\w+="[^"]*"\})?) (\S+)$`)

// metrics returns the samples of GET /metrics by their names and labels, without wspipe_.
func (o *operator) metrics() map[string]float64 {
	o.t.Helper()
	values := map[string]float64{}
	status, text := o.do("GET", "/metrics")
	for line := range strings.Lines(text) {
		m := sample.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			if status != 200 || !strings.HasPrefix(line, "# ") {
				o.t.Fatalf("%d, line %q", status, line)
			}
			continue
		}
		value, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			o.t.Fatal(err)
		}
		values[strings.TrimPrefix(m[1], "wspipe_")] = value
	}
	return values
}

// expectMetrics waits until the metrics that are not zero are these. Buckets and sums of
// histograms do not count.
func (o *operator) expectMetrics(want map[string]float64) {
	o.t.Helper()
	var got map[string]float64
	defer func() {
		if o.t.Failed() {
			o.t.Logf("got  %v\nwant %v", got, want)
		}
	}()
	wspipetest.Eventually(o.t, "the metrics", func() bool {
		got = o.metrics()
		maps.DeleteFunc(got, func(name string, value float64) bool {
			return value == 0 || strings.Contains(name, "_bucket{") || strings.HasSuffix(name, "_sum")
		})
		return maps.Equal(got, want)
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--maxforks=1", "sh", "-c", `read line; echo "$line"; exit 3`)
	o.expectMetrics(map[string]float64{})
	c := dial(t, s.WS)
	one := map[string]float64{"connections": 1, "connections_total": 1, "children": 1, "children_total": 1, "child_start_seconds_count": 1}
	o.expectMetrics(one)
	for _, opt := range []*websocket.DialOptions{nil, {HTTPHeader: http.Header{"Origin": {"https://evil.example.com"}}}, {Host: "evil.example.com", HTTPHeader: http.Header{"Origin": {"http://evil.example.com"}}}} {
		if _, _, err := websocket.Dial(t.Context(), s.WS, opt); err == nil {
			t.Fatal("not refused")
		}
	}
	refused := map[string]float64{`refusals_total{rule="maxforks"}`: 1, `refusals_total{rule="origin"}`: 1, `refusals_total{rule="host"}`: 1}
	maps.Copy(one, refused)
	o.expectMetrics(one)
	c.Send("hello")
	c.ExpectEnd(1000, "exit 3")
	delete(one, "connections")
	delete(one, "children")
	maps.Copy(one, map[string]float64{`exits_total{status="exit 3"}`: 1, `messages_total{direction="in"}`: 1, `messages_total{direction="out"}`: 1,
		`bytes_total{direction="in"}`: 5, `bytes_total{direction="out"}`: 5})
	o.expectMetrics(one)
}

func TestMetricsOfSharedChild(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--share=broadcast", "--http", "sh", "-c", `read line; echo "$line"; read end; kill -KILL $$`)
	one, two := dial(t, s.WS), dial(t, s.WS)
	o.await("two clients", func(s sessionLine) bool { return s.Clients == 2 })
	resp, err := http.Post("http"+strings.TrimPrefix(s.WS, "ws"), "text/plain", strings.NewReader("hello\n"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	one.Expect("hello")
	two.Expect("hello")
	want := map[string]float64{"connections": 2, "connections_total": 2, "children": 1, "children_total": 1, "child_start_seconds_count": 1,
		`messages_total{direction="in"}`: 1, `messages_total{direction="out"}`: 2, `bytes_total{direction="in"}`: 6, `bytes_total{direction="out"}`: 10}
	o.expectMetrics(want)
	one.Send("end")
	one.ExpectEnd(1000, "signal KILL")
	two.ExpectEnd(1000, "signal KILL")
	delete(want, "connections")
	delete(want, "children")
	maps.Copy(want, map[string]float64{`messages_total{direction="in"}`: 2, `bytes_total{direction="in"}`: 9, `exits_total{status="signal KILL"}`: 1})
	o.expectMetrics(want)
}

func TestMetricsOfSlowClients(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"disconnect", "drop"} {
		s, o := startOperated(t, "--share=broadcast", "--slow="+policy, "yes", strings.Repeat("x", 1000))
		dial(t, s.WS)
		until(t, "there is a slow client", func() bool { return o.metrics()["slow_clients_total"] == 1 })
	}
}

// TestMetricsOfHeldSession has a client that disconnects before its child exits.
func TestMetricsOfHeldSession(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--resume=1h", "sh", "-c", `echo $$; read never`)
	c := dial(t, s.WS+"?wspipe_session="+clientID)
	pid := readPid(t, c)
	c.CloseNow()
	held := map[string]float64{"sessions_held": 1, "connections_total": 1, "children": 1, "children_total": 1, "child_start_seconds_count": 1,
		`messages_total{direction="out"}`: 1, `bytes_total{direction="out"}`: float64(len(strconv.Itoa(pid)))}
	o.expectMetrics(held)
	if p, err := os.FindProcess(pid); err != nil || p.Kill() != nil {
		t.Fatal("cannot kill the child")
	}
	delete(held, "children")
	held[`exits_total{status="signal KILL"}`] = 1
	o.expectMetrics(held)
	if got := o.sessions(); len(got) != 1 || got[0].Pid != 0 || got[0].Clients != 0 {
		t.Errorf("sessions %+v", got)
	}
}

func TestMetricsOfCGIAndRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wspipetest.WriteMode(t, filepath.Join(dir, "c"), "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhi'\n", 0o755)
	s, o := startOperated(t, "--cgidir="+dir, "--basic-auth=u:p", "--health=/healthz", "--subprotocol=a", "cat")
	base := "http" + strings.TrimPrefix(s.WS, "ws")
	for path, want := range map[string]int{"c": 200, "healthz": 200, "missing": 404} {
		r, _ := http.NewRequest("GET", base+path, nil)
		if r.SetBasicAuth("u", "p"); path == "healthz" {
			r.Header.Del("Authorization")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	for _, header := range []http.Header{{}, {"Authorization": {"Basic dTpw"}, "Sec-Websocket-Protocol": {"b"}}, {"Authorization": {"Basic dTpw"}, "Sec-Websocket-Key": {"short"}}} {
		handshakeStatus(t, base, header)
	}
	o.expectMetrics(map[string]float64{"children_total": 1, `exits_total{status="exit 0"}`: 1, "child_start_seconds_count": 1,
		`refusals_total{rule="auth"}`: 1, `refusals_total{rule="subprotocol"}`: 1, `refusals_total{rule="handshake"}`: 1})
}

// handshakeStatus sends an opening handshake with more headers, which must be refused.
func handshakeStatus(t *testing.T, url string, more http.Header) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	maps.Copy(r.Header, more)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode < 400 {
		t.Errorf("%v: %s", more, resp.Status)
	}
}

// TestCountersNeverDecrease reads the metrics while clients come, send and leave.
func TestCountersNeverDecrease(t *testing.T) {
	t.Parallel()
	s, o := startOperated(t, "--share=broadcast", "--linger=-1", "cat")
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 25 {
				c := dial(t, s.WS)
				c.Send("hello")
				c.Next()
				c.Close(1000, "")
			}
		})
	}
	go func() { // ends with the clients
		clients.Wait()
		close(done)
	}()
	for before, over := o.metrics(), false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		now := o.metrics()
		for _, name := range slices.Sorted(maps.Keys(before)) {
			if (strings.Contains(name, "_total") || strings.Contains(name, "seconds")) && now[name] < before[name] {
				t.Fatalf("%s was %v and is %v", name, before[name], now[name])
			}
		}
		before = now
	}
	if got := o.metrics()[`messages_total{direction="in"}`]; got != 100 {
		t.Errorf("%v messages, want 100", got)
	}
}

// TestDocsMetrics checks that docs/operate.md has every metric and every rule, and no others.
func TestDocsMetrics(t *testing.T) {
	t.Parallel()
	_, o := startOperated(t, "cat")
	_, text := o.do("GET", "/metrics")
	page := read(t, "../../docs/operate.md")
	all := func(pattern, text string) (names []string) {
		for _, m := range regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	if got, want := all("^\\| `(wspipe_\\w+)", page), all(`^# HELP (\w+) `, text); !slices.Equal(got, want) {
		t.Errorf("metrics in docs %q\nwant %q", got, want)
	}
	_, rules, _ := strings.Cut(page, "| `rule` |")
	rules, _, _ = strings.Cut(rules, "\n\n")
	if got, want := all("[|,] `([a-z-]+)`", rules), all(`rule="(\S+)"`, text); !slices.Equal(got, want) {
		t.Errorf("rules in docs %q\nwant %q", got, want)
	}
}
