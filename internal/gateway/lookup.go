package gateway

import (
	"context"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// asking is the key of the question that a context belongs to.
type asking struct{}

// CorrelationOf is the correlation of the question for which something is done, "" if
// it is done for none.
func CorrelationOf(ctx context.Context) string {
	q, ok := ctx.Value(asking{}).(Question)
	if !ok {
		return ""
	}
	return q.Correlation
}

// LookUp is something that was found out, or could not be, from the directory or the
// demographics service.
type LookUp struct {
	Of      string        // what was asked: fixed
	Result  string        // what came of it: fixed
	Patient bool          // it was about the patient of the question
	Elapsed time.Duration // since it was asked
}

// RecordLookUp records a look-up, for the question of ctx if there is one (IG-3.9.2a).
// After an error nothing may be done with what was found out.
func RecordLookUp(ctx context.Context, log Log, now time.Time, l LookUp) error {
	e := audit.Entry{Kind: audit.LookedUp, Time: now, Reason: l.Of + ": " + l.Result, Elapsed: l.Elapsed}
	q, ok := ctx.Value(asking{}).(Question)
	if ok {
		e.Correlation, e.Client, e.Organisation = q.Correlation, q.Client.Name, q.Client.Organisations[0]
	}
	if ok && l.Patient {
		e.NHSNumber = q.Query.Number.Digits()
	}
	_, err := log.Append(ctx, e)
	return err
}
