package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardsmsp/ward/internal/audit/standby"
	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/spine"
	"github.com/wardsmsp/ward/internal/spine/circuit"
)

// State is where Metrics find what is so at the moment that they are asked. None of the
// functions may wait for long.
type State struct {
	Spine        func() spine.Load
	Replies      func() map[replies.Fate]uint64 // asynchronous ones, since the start; none without the pattern
	Budgets      func() map[string]float64      // left, by ASID
	LogHealthy   func() error
	LogEntries   func() int64
	LogQueue     func() int           // entries that wait for a commit
	Copy         func() standby.State // of a second copy of the log; nil if none is kept
	Certificates map[string]time.Time // ends of our own, by the table of the configuration that names them
	Now          func() time.Time
}

// Watch adds a State to the metrics. It is called once.
func (m *Metrics) Watch(s State) {
	m.registry.MustRegister(&state{State: s, metrics: m})
}

// state collects a State.
type state struct {
	State
	metrics *Metrics
}

// Describe describes nothing, since what there is depends on the configuration.
func (s *state) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	gauge := func(name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	load := s.Spine()
	gauge("ward_spine_places", "Questions that have a place on the way to the Spine.", float64(load.Places))
	gauge("ward_spine_connections", "Connections to the Spine in use.", float64(load.Connections))
	gauge("ward_spine_waiting", "Questions that wait for one.", float64(load.Waiting))
	for _, one := range circuit.States() {
		gauge("ward_spine_circuit", "1 for the state of the circuit to the Spine.", truth(one == load.Circuit), "state", one.String())
	}
	counted := prometheus.NewDesc("ward_replies_total", "Asynchronous replies.", []string{"fate"}, nil)
	for fate, n := range s.Replies() {
		out <- prometheus.MustNewConstMetric(counted, prometheus.CounterValue, float64(n), string(fate))
	}
	for asid, left := range s.Budgets() {
		gauge("ward_budget_left", "Questions left in the budget of an ASID.", left, "asid", asid)
	}
	gauge("ward_audit_healthy", "1 if the audit log can be written.", truth(s.LogHealthy() == nil))
	gauge("ward_audit_entries", "Durable entries of the audit log.", float64(s.LogEntries()))
	gauge("ward_audit_queue", "Entries that wait for a commit.", float64(s.LogQueue()))
	if s.Copy != nil {
		copied := s.Copy()
		gauge("ward_audit_copy_entries", "Entries that the second copy of the audit log has.", float64(copied.Entries))
		gauge("ward_audit_copy_whole_timestamp_seconds", "When the second copy last had all that the log had.", float64(copied.Whole.UnixMilli())/1e3)
		gauge("ward_audit_copy_late", "1 if that is too long ago.", truth(copied.Late))
	}
	for name, end := range s.Certificates {
		gauge("ward_certificate_expiry_timestamp_seconds", "When a certificate of ours ends.", float64(end.Unix()), "certificate", name)
	}
	now := s.Now()
	gauge("ward_clock_timestamp_seconds", "What the clock says.", float64(now.UnixNano())/1e9)
	synchronised, most, ok := kernelClock()
	if ok {
		gauge("ward_clock_synchronised", "1 if the kernel takes the clock for synchronised.", truth(synchronised))
		gauge("ward_clock_error_seconds", "How far the clock may be wrong, as the kernel has it.", most.Seconds())
	}
	read := s.metrics.directory.Load()
	if read != nil {
		gauge("ward_directory_age_seconds", "Age of the directory's value in use.", now.Sub(*read).Seconds())
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
