package provider

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// newest returns the newest entry of one of the kinds that this instance wrote, and
// whether there is one. Those without an instance are of before a log was moved to where
// several can share it.
func (p *Provider) newest(ctx context.Context, kinds ...audit.Kind) (audit.Entry, bool, error) {
	var terms []seal.Term
	for _, kind := range kinds {
		terms = append(terms, audit.TermsOf(p.settings.Keys, audit.FieldKind, string(kind))...)
	}
	const atOnce = 16 // there are few instances
	for to := p.log.Size(); ; {
		found, err := p.store.Find(ctx, [][]seal.Term{terms}, 0, to, atOnce)
		if err != nil {
			return audit.Entry{}, false, err
		}
		for _, to = range found {
			e, err := p.entry(ctx, to)
			if err != nil || e.Instance == "" || e.Instance == p.settings.Store.Instance {
				return e, true, err
			}
		}
		if len(found) < atOnce {
			return audit.Entry{}, false, nil
		}
	}
}

func (p *Provider) entry(ctx context.Context, seq int64) (audit.Entry, error) {
	for record, err := range p.log.Entries(ctx, seq, seq+1) {
		return record.Entry, err
	}
	return audit.Entry{}, fmt.Errorf("entry %d is in the index but not in the log", seq)
}

// lastConfiguration is the Detail of the newest configured entry.
func (p *Provider) lastConfiguration(ctx context.Context) (json.RawMessage, bool, error) {
	e, found, err := p.newest(ctx, audit.Configured)
	return e.Detail, found, err
}

// Reasons of started and stopped entries.
const (
	reasonNotStopped = "the run before did not stop in order"
	reasonNotServing = "the start failed"
	reasonFailed     = "a failure ended serving: "
)

// lastRun says what is to be remarked of how the run before ended, "" if it stopped
// in order or if there was none.
func (p *Provider) lastRun(ctx context.Context) (string, error) {
	e, _, err := p.newest(ctx, audit.Started, audit.Stopped)
	switch {
	case err != nil:
		return "", fmt.Errorf("the audit log cannot be read: %w", err)
	case e.Kind == audit.Started:
		return reasonNotStopped, nil
	default:
		return "", nil
	}
}
