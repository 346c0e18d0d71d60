package provider

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// newest returns the newest entry of one of the kinds, and whether there is one.
func (p *Provider) newest(ctx context.Context, kinds ...audit.Kind) (audit.Entry, bool, error) {
	var terms []seal.Term
	for _, kind := range kinds {
		terms = append(terms, audit.TermsOf(p.settings.Keys, audit.FieldKind, string(kind))...)
	}
	found, err := p.store.Find(ctx, [][]seal.Term{terms}, 0, p.log.Size(), 1)
	if err != nil || len(found) == 0 {
		return audit.Entry{}, false, err
	}
	for record, err := range p.log.Entries(ctx, found[0], found[0]+1) {
		return record.Entry, true, err
	}
	return audit.Entry{}, false, fmt.Errorf("entry %d is in the index but not in the log", found[0])
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
