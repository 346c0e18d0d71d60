package provider

import (
	"context"
	"errors"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/spine/circuit"
	"github.com/wardsmsp/ward/internal/telemetry"
)

// measuredSpine tells how long the Spine was asked.
type measuredSpine struct {
	gateway.Spine
	metrics *telemetry.Metrics
}

func (m measuredSpine) Ask(ctx context.Context, correlation string, q cpis.Query, ids []string) (answer cpis.Answer, used int) {
	began := time.Now()
	answer, used = m.Spine.Ask(ctx, correlation, q, ids)
	if used > 0 {
		m.metrics.SpineAsked(answer.Outcome(), time.Since(began))
	}
	return answer, used
}

// measuredLog tells how long each entry took to be recorded.
type measuredLog struct {
	gateway.Log
	metrics *telemetry.Metrics
}

func (m measuredLog) Append(ctx context.Context, e audit.Entry) (int64, error) {
	began := time.Now()
	sequence, err := m.Log.Append(ctx, e)
	m.metrics.Recorded(e.Kind, time.Since(began), err)
	return sequence, err
}

func (m measuredLog) AppendOnce(ctx context.Context, e audit.Entry, c audit.Claim) (int64, error) {
	began := time.Now()
	sequence, err := m.Log.AppendOnce(ctx, e, c)
	failure := err
	if errors.Is(err, audit.ErrClaimed) { // which is no failure of the log
		failure = nil
	}
	m.metrics.Recorded(e.Kind, time.Since(began), failure)
	return sequence, err
}

// circuitChanged tells operators that the Spine is asked no more, or again.
func (p *Provider) circuitChanged(to circuit.State) {
	p.metrics.CircuitChanged(to)
	p.logger.Warn("the circuit to the Spine changed", "event", "spine.circuit", "state", to.String())
}

// watchMetrics lets the metrics see what is so when they are asked.
func (p *Provider) watchMetrics() {
	state := telemetry.State{
		Spine:      p.spine.Load,
		Replies:    p.replies.fates,
		Budgets:    p.budgets.Left,
		LogHealthy: p.log.Healthy,
		LogEntries: p.log.Size,
		LogQueue:   p.log.Queued,
		Certificates: map[string]time.Time{
			"listen": p.settings.ListenTLS.Certificates[0].Leaf.NotAfter,
			"spine":  p.settings.SpineTLS.Certificates[0].Leaf.NotAfter,
		},
		Now: time.Now,
	}
	if p.copy != nil {
		state.Copy = p.copy.State
	}
	p.metrics.Watch(state)
}
