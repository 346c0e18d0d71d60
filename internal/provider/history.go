package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/wardsmsp/ward/internal/audit"
)

// How far back the log is searched at the start, and how much of it at a time.
const (
	searchWithin = 1 << 18
	searchAtOnce = 1 << 10
)

// errFar means that what is searched for is not among the newest entries.
var errFar = errors.New("not among the newest entries of the audit log")

// newest returns the newest entry of one of the kinds, and whether there is one. It
// looks at about within entries, the newest first.
func newest(ctx context.Context, log *audit.Log, within int64, kinds ...audit.Kind) (e audit.Entry, found bool, err error) {
	size := log.Size()
	for end := size; end > 0 && !found; end -= searchAtOnce {
		if size-end >= within {
			return audit.Entry{}, false, errFar
		}
		for record, err := range log.Entries(ctx, max(end-searchAtOnce, 0), end) {
			if err != nil {
				return audit.Entry{}, false, err
			}
			if slices.Contains(kinds, record.Entry.Kind) {
				e, found = record.Entry, true
			}
		}
	}
	return e, found, nil
}

// lastConfiguration is the Detail of the newest configured entry.
func (p *Provider) lastConfiguration(ctx context.Context) (json.RawMessage, bool, error) {
	e, found, err := newest(ctx, p.log, searchWithin, audit.Configured)
	if errors.Is(err, errFar) {
		return nil, true, nil // there may be one
	}
	return e.Detail, found, err
}

// Reasons of started and stopped entries.
const (
	reasonNotStopped  = "the run before did not stop in order"
	reasonStopUnknown = "whether the run before stopped in order is not known"
	reasonNotServing  = "the start failed"
	reasonFailed      = "a failure ended serving: "
)

// lastRun says what is to be remarked of how the run before ended, "" if it stopped
// in order or if there was none.
func (p *Provider) lastRun(ctx context.Context) (string, error) {
	e, _, err := newest(ctx, p.log, searchWithin, audit.Started, audit.Stopped)
	switch {
	case errors.Is(err, errFar):
		return reasonStopUnknown, nil
	case err != nil:
		return "", fmt.Errorf("the audit log cannot be read: %w", err)
	case e.Kind == audit.Started:
		return reasonNotStopped, nil
	default:
		return "", nil
	}
}
