package telemetry

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/server"
	"github.com/wardsmsp/ward/internal/spine/circuit"
)

// Metrics are the numbers that a provider tells about itself (WRD-OPS-09), each
// described in docs/metrics.md. Labels are names from the configuration and words from
// fixed lists, so that there are never many, and nothing personal is in them
// (WRD-IGV-01). It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	questions, refused, circuits, recordsFailed, commitsFailed, spent *prometheus.CounterVec
	underWay                                                          *prometheus.GaugeVec
	question, spine, record, commit, lookUp                           *prometheus.HistogramVec

	directory atomic.Pointer[time.Time]
}

// Bounds of histograms in seconds: a question may take some seconds, writing a record
// should take milliseconds.
var (
	slow  = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 8, 10, 15}
	quick = []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// NewMetrics returns Metrics in which nothing has been counted.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.questions = m.counter("ward_questions_total", "Questions answered with a code.", "client", "outcome", "notified")
	m.refused = m.counter("ward_refused_total", "Requests turned away without one.", "client", "class")
	m.underWay = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ward_questions_under_way", Help: "Questions that are being answered."}, []string{"client"})
	m.question = m.histogram("ward_question_seconds", "From a request to its answer.", slow, "client")
	m.spine = m.histogram("ward_spine_seconds", "Part of it at the Spine.", slow, "outcome")
	m.circuits = m.counter("ward_spine_circuit_changes_total", "Changes of the circuit to the Spine.", "state")
	m.record = m.histogram("ward_audit_record_seconds", "Recording an entry durably.", quick, "kind")
	m.recordsFailed = m.counter("ward_audit_record_failures_total", "Entries that were not recorded.", "kind")
	m.commit = m.histogram("ward_audit_commit_seconds", "Commits of the audit log.", quick)
	m.commitsFailed = m.counter("ward_audit_commit_failures_total", "Commits that failed.")
	m.spent = m.counter("ward_budget_refused_total", "Questions turned away for the budget of an ASID.", "asid")
	m.lookUp = m.histogram("ward_lookup_seconds", "Questions to the directory and the demographics service.", slow, "service", "result")
	m.registry.MustRegister(m.underWay, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	m.registry.MustRegister(h)
	return h
}

// Handler serves the metrics in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 5 * time.Second})
}

// Entered implements server.Meter.
func (m *Metrics) Entered(client string) { m.underWay.WithLabelValues(client).Inc() }

// Left implements server.Meter.
func (m *Metrics) Left(client string) { m.underWay.WithLabelValues(client).Dec() }

// Answered implements server.Meter.
func (m *Metrics) Answered(client string, outcome cpis.Outcome, notified cpis.Notified, took time.Duration) {
	m.questions.WithLabelValues(client, outcome.String(), notified.String()).Inc()
	m.question.WithLabelValues(client).Observe(took.Seconds())
}

// TurnedAway implements server.Meter.
func (m *Metrics) TurnedAway(client string, class server.Class) {
	m.refused.WithLabelValues(client, string(class)).Inc()
}

// SpineAsked counts how long the Spine was asked, and with what outcome.
func (m *Metrics) SpineAsked(outcome cpis.Outcome, took time.Duration) {
	m.spine.WithLabelValues(outcome.String()).Observe(took.Seconds())
}

// CircuitChanged counts a change of the circuit to the Spine.
func (m *Metrics) CircuitChanged(to circuit.State) { m.circuits.WithLabelValues(to.String()).Inc() }

// Recorded counts an entry of the audit log, and how long its writer waited.
func (m *Metrics) Recorded(kind audit.Kind, took time.Duration, err error) {
	m.record.WithLabelValues(string(kind)).Observe(took.Seconds())
	if err != nil {
		m.recordsFailed.WithLabelValues(string(kind)).Inc()
	}
}

// Committed counts a commit of the audit log.
func (m *Metrics) Committed(took time.Duration, err error) {
	m.commit.WithLabelValues().Observe(took.Seconds())
	if err != nil {
		m.commitsFailed.WithLabelValues().Inc()
	}
}

// BudgetSpent counts a question that was turned away for the budget of an ASID.
func (m *Metrics) BudgetSpent(asid string) { m.spent.WithLabelValues(asid).Inc() }

// LookedUp counts a question to a service, directory or demographics, with its result:
// found, refused, stale or failed. Stale means that the last answer that was good is
// used again. Every other word counts as other.
func (m *Metrics) LookedUp(service, result string, took time.Duration) {
	m.lookUp.WithLabelValues(known(service, "directory", "demographics"), known(result, "found", "refused", "stale", "failed")).Observe(took.Seconds())
}

// DirectoryRead notes when the directory gave the value that is in use.
func (m *Metrics) DirectoryRead(at time.Time) { m.directory.Store(&at) }

// known keeps a label to a list of words.
func known(word string, words ...string) string {
	if slices.Contains(words, word) {
		return word
	}
	return "other"
}
