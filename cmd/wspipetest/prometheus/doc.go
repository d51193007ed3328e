// Package prometheus checks the metrics of wspipe with Prometheus' own parser and
// linter, those of promtool check metrics. It is a module of its own, so that wspipe
// does not depend on Prometheus.
package prometheus
