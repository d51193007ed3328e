package admin

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Metrics are the values of GET /metrics, in Prometheus' text format.
//
// The format is written here because of the libraries: VictoriaMetrics/metrics leaves HELP
// empty, and prometheus/client_golang makes the binary 3 MB larger, for eleven families.
type Metrics struct {
	Connections      int   // open now
	ConnectionsTotal int64 // ever
	Children         int   // running now
	ChildrenTotal    int64 // ever started
	// Refusals counts refused requests by the rule, Exits the children that have exited by
	// the reason of the close frame. No name is chosen by a client.
	Refusals, Exits       map[string]int64
	MessagesIn, BytesIn   int64 // to children
	MessagesOut, BytesOut int64 // to clients
	ChildStart            Histogram
	SlowClients           int64 // ever
	SessionsHeld          int   // without a client now
}

// startBounds are the upper bounds of the buckets of Metrics.ChildStart.
var startBounds = [...]time.Duration{time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second, 2500 * time.Millisecond}

// Histogram counts durations by buckets. The zero value has none.
type Histogram struct {
	buckets [len(startBounds)]int64
	count   int64
	sum     time.Duration
}

// Observe counts d.
func (h *Histogram) Observe(d time.Duration) {
	h.count++
	h.sum += d
	if i := slices.IndexFunc(startBounds[:], func(bound time.Duration) bool { return d <= bound }); i >= 0 {
		h.buckets[i]++
	}
}

// textFormat is the media type of what text returns.
const textFormat = "text/plain; version=0.0.4; charset=utf-8"

// text returns m in Prometheus' text format.
func (m *Metrics) text() []byte {
	w := &metricsWriter{}
	w.gauge("wspipe_connections", "Clients that are connected, by WebSocket or plain HTTP.", m.Connections)
	w.counter("wspipe_connections_total", "Clients that have connected to a child.", m.ConnectionsTotal)
	w.gauge("wspipe_children", "Child processes that run, including CGI programs.", m.Children)
	w.counter("wspipe_children_total", "Child processes that were started, including CGI programs.", m.ChildrenTotal)
	w.counters("wspipe_refusals_total", "Requests of clients that were refused, by the rule.", "rule", m.Refusals)
	w.counters("wspipe_exits_total", "Child processes that have exited, by how they ended.", "status", m.Exits)
	w.counters("wspipe_messages_total", "Messages, to children (in) and to clients (out).", "direction",
		map[string]int64{"in": m.MessagesIn, "out": m.MessagesOut})
	w.counters("wspipe_bytes_total", "Bytes of payload, to children (in) and to clients (out).", "direction",
		map[string]int64{"in": m.BytesIn, "out": m.BytesOut})
	w.histogram("wspipe_child_start_seconds", "Time to start a child process.", m.ChildStart)
	w.counter("wspipe_slow_clients_total", "Clients of shared children that were disconnected, or lost messages, because they were slow.", m.SlowClients)
	w.gauge("wspipe_sessions_held", "Sessions of --resume whose client is disconnected and may return.", m.SessionsHeld)
	return w.Bytes()
}

// metricsWriter writes metric families.
type metricsWriter struct{ bytes.Buffer }

func (w *metricsWriter) begin(name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (w *metricsWriter) gauge(name, help string, value int) {
	w.begin(name, "gauge", help)
	fmt.Fprintf(w, "%s %d\n", name, value)
}

func (w *metricsWriter) counter(name, help string, value int64) {
	w.begin(name, "counter", help)
	fmt.Fprintf(w, "%s %d\n", name, value)
}

// labelEscaper escapes the value of a label.
var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// counters writes a counter for each value of a label.
func (w *metricsWriter) counters(name, help, label string, values map[string]int64) {
	w.begin(name, "counter", help)
	for _, value := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(w, "%s{%s=\"%s\"} %d\n", name, label, labelEscaper.Replace(value), values[value])
	}
}

func (w *metricsWriter) histogram(name, help string, h Histogram) {
	w.begin(name, "histogram", help)
	total := int64(0)
	for i, bound := range startBounds {
		total += h.buckets[i]
		fmt.Fprintf(w, "%s_bucket{le=\"%s\"} %d\n", name, seconds(bound), total)
	}
	fmt.Fprintf(w, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %s\n%s_count %d\n", name, h.count, name, seconds(h.sum), name, h.count)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'g', -1, 64) }
