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
	for seq, err := range audit.Found(ctx, p.store, [][]seal.Term{terms}, 0, p.log.Size()) {
		if err != nil {
			return audit.Entry{}, false, err
		}
		record, err := audit.EntryAt(ctx, p.store, p.settings.Keys, seq)
		if err != nil || record.Entry.Instance == "" || record.Entry.Instance == p.settings.Store.Instance {
			return record.Entry, true, err
		}
	}
	return audit.Entry{}, false, nil
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
