package replies

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/hl7"
)

// Fates of what reaches the listener and is not given to a Room.
const (
	Expired       Fate = "expired"        // its time to live was over
	NotUnderstood Fate = "not_understood" // it is no message that is known
)

// Discard is a reply that nobody took.
type Discard struct {
	Fate        Fate
	Detail      string // more of the reason, a fixed text; "" if there is none
	RefTo       string // the id of our message that it refers to
	Correlation string // "" if that is not known
	Reply       Reply
	Remote      string // where it came from, "" if another replica received it
	Certificate string // SHA-256 fingerprint of who sent it, likewise
}

// reason is the fixed text of the audit entry.
func (d *Discard) reason() string {
	texts := map[Fate]string{
		Repeated:      "repeated: the question has another reply",
		Late:          "late: nobody waits for this reply any more",
		Unasked:       "unasked: it refers to no message that is known to have been sent",
		Expired:       "expired: its time to live was over when it came",
		NotUnderstood: "not understood",
	}
	if d.Detail != "" {
		return texts[d.Fate] + ": " + d.Detail
	}
	return texts[d.Fate]
}

// Log records. Append returns only when the entry is durable.
type Log interface {
	Append(ctx context.Context, e audit.Entry) (sequence int64, err error)
}

// recordTimeout bounds the wait for one entry.
const recordTimeout = 5 * time.Second

// Discards records and counts the replies that nobody took (WRD-SPN-17). It may be
// used by several goroutines.
type Discards struct {
	log    Log
	logger *slog.Logger
	now    func() time.Time
	newID  func() string

	mu     sync.Mutex
	counts map[Fate]uint64
}

// NewDiscards returns Discards that write to a log. NewID gives the correlation of
// entries that belong to no question that is known.
func NewDiscards(log Log, logger *slog.Logger, now func() time.Time, newID func() string) *Discards {
	return &Discards{log: log, logger: logger, now: now, newID: newID, counts: map[Fate]uint64{}}
}

// Record returns nil when the entry is durable. It does not end with ctx. An entry
// holds nothing of what the reply says; that a reply which found something came says
// that the local authority may have been notified.
func (d *Discards) Record(ctx context.Context, one Discard) error {
	d.count(one.Fate)
	if one.Correlation == "" {
		one.Correlation = d.newID()
	}
	now := d.now()
	e := audit.Entry{
		Kind:        audit.Discarded,
		Time:        now,
		Correlation: one.Correlation,
		Certificate: one.Certificate,
		Remote:      one.Remote,
		MessageID:   one.Reply.MessageID,
		Reason:      one.reason(),
	}
	if one.RefTo != "" {
		e.SpineMessageIDs = []string{one.RefTo}
	}
	if one.Reply.Action == hl7.SuccessInteraction {
		e.Notified = cpis.NotifiedMaybe.String()
	}
	if !one.Reply.Received.IsZero() {
		e.Elapsed = now.Sub(one.Reply.Received)
	}
	d.logger.Warn("a reply was discarded", "event", "reply.discarded", "correlation", one.Correlation, "fate", string(one.Fate), "reason", e.Reason)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := d.log.Append(ctx, e)
	if err != nil {
		d.logger.Error("an entry could not be recorded", "event", "audit.failed", "correlation", one.Correlation, "cause", err.Error())
	}
	return err
}

// Untaken records a reply that a Room tells of: it is for Options.
func (d *Discards) Untaken(one Discard) {
	_ = d.Record(context.Background(), one) // has logged why
}

func (d *Discards) count(fate Fate) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[fate]++
}

// Counts are how many replies had each fate but Delivered.
func (d *Discards) Counts() map[Fate]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counts)
}
