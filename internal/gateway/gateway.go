// Package gateway is the use case: record the intent, ask once, judge, record the
// outcome, answer. It defines the ports that it needs and knows no wire and no
// store.
package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/clients"
)

// Spine asks CP-IS, for the transaction with that correlation. Each id allows one
// attempt and is used at most once; used says how many were. It must not send a byte
// of a second attempt unless no byte of the first one left.
type Spine interface {
	Ask(ctx context.Context, correlation string, q cpis.Query, ids []string) (answer cpis.Answer, used int)
}

// Check finds out from others, once a question is recorded and before it is asked,
// whether it may be. It records whatever leaves this machine for it (IG-3.9.2a).
type Check func(ctx context.Context, q Question) Finding

// Finding is what a Check found out.
type Finding struct {
	Refused      bool
	Refusal      cpis.Answer       // the outcome of what is refused
	Remark       string            // for the audit log, on what is asked; fixed
	Verification cpis.Verification // of the number, for who asks
}

// Log records. Append returns only when the entry is durable; after an error the
// entry must be taken as not recorded.
type Log interface {
	Append(ctx context.Context, e audit.Entry) (sequence int64, err error)

	// AppendOnce is Append for an entry that is recorded only if none of the ids
	// it claims was claimed before, by whatever instance of the provider;
	// otherwise the error is audit.ErrClaimed.
	AppendOnce(ctx context.Context, e audit.Entry, c audit.Claim) (sequence int64, err error)
}

// ErrNotRecorded means that the question could not be recorded, so that nothing
// was asked and nothing may be told.
var ErrNotRecorded = errors.New("the question could not be recorded")

// Config is what a Gateway needs besides its ports.
type Config struct {
	Numbers        cpis.NumberPolicy
	Codes          cpis.Codes
	Budget         time.Duration // from receiving the request to answering it
	RecordReserve  time.Duration // part of the budget kept for recording the outcome
	ConnectRetries int
	ReplayCode     string // of the fault by which a client is told of a message used before, for the log
	Checks         []Check
	Now            func() time.Time
	NewID          func() string // an upper-case UUID, never the same twice
}

// Gateway answers questions. It is safe for concurrent use.
type Gateway struct {
	config Config
	spine  Spine
	log    Log
}

// New returns a Gateway over its two ports.
func New(config Config, spine Spine, log Log) *Gateway {
	return &Gateway{config: config, spine: spine, log: log}
}

// Question is one admitted request.
type Question struct {
	Correlation string    // upper-case UUID, from request to audit entry to fault
	Received    time.Time // when its first byte was handled
	Client      *clients.Client
	Certificate string // SHA-256 fingerprint, hex
	Remote      string // network address

	MessageID       string
	TrackingID      string
	ReplayIDs       []string  // by which the same message is known again
	ReplayUntil     time.Time // until when it could be sent again and be valid
	Username        string
	AuditIdentities []cpis.AuditIdentity
	Signed          bool // a signature was present; it is not relied on (WRD-MSG-22)

	Query cpis.Query
	// BirthDate is that of the person asked about, yyyy-MM-dd, if the client gave it.
	// It is for the demographics service alone: it never goes to CP-IS or the log.
	BirthDate string
	Invalid   string // why this is not a question that can be asked, or ""
}

// Ask answers a question. The error is ErrNotRecorded or wraps it. Once the
// question may have been sent, neither ctx nor a client that goes away stops it:
// its outcome is recorded all the same.
func (g *Gateway) Ask(ctx context.Context, q Question) (cpis.Answer, error) {
	deadline := q.Received.Add(g.config.Budget)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()

	refusal, refused := g.refuse(q)
	if refused {
		return g.refuseOnce(ctx, q, refusal)
	}

	ids := make([]string, 1+g.config.ConnectRetries)
	for i := range ids {
		ids[i] = g.config.NewID()
	}
	intent := g.entry(q, audit.Intent, cpis.Answer{})
	intent.SpineMessageIDs = ids
	_, err := g.log.AppendOnce(ctx, intent, q.claim())
	if errors.Is(err, audit.ErrClaimed) {
		return g.refuseReplay(ctx, q)
	}
	if err != nil {
		g.recordNothingAsked(ctx, q)
		return cpis.Answer{}, errors.Join(ErrNotRecorded, err)
	}

	answer, remarks, used := g.ask(ctx, q, ids, deadline.Add(-g.config.RecordReserve))
	outcome := g.entry(q, audit.Outcome, answer)
	if len(outcome.Detail) > audit.MaxDetail {
		// The log could not hold what is told (IG-3.9.2c).
		answer = answer.Withheld("what was found is longer than an entry of the audit log can hold")
		outcome = g.entry(q, audit.Outcome, answer)
	}
	outcome.Reason = joined(outcome.Reason, remarks)
	outcome.SpineMessageIDs = ids[:used]
	_, err = g.log.Append(ctx, outcome)
	if err != nil {
		return answer.Withheld("the outcome could not be recorded"), nil
	}
	return answer, nil
}

// claim makes a message the only one with its ids (WRD-VAL-16).
func (q Question) claim() audit.Claim {
	return audit.Claim{Client: q.Client.Name, IDs: q.ReplayIDs, Until: q.ReplayUntil}
}

// refuseOnce records and returns a refusal. It claims the message's ids as an
// intent does, so that a message means one thing only.
func (g *Gateway) refuseOnce(ctx context.Context, q Question, refusal cpis.Answer) (cpis.Answer, error) {
	_, err := g.log.AppendOnce(ctx, g.entry(q, audit.Refused, refusal), q.claim())
	if errors.Is(err, audit.ErrClaimed) {
		return g.refuseReplay(ctx, q)
	}
	if err != nil {
		return cpis.Answer{}, errors.Join(ErrNotRecorded, err)
	}
	return refusal, nil
}

// refuseReplay records and returns that a message was used before: the outcome of
// its first use stands, and is not looked up for anybody (N32).
func (g *Gateway) refuseReplay(ctx context.Context, q Question) (cpis.Answer, error) {
	refusal := cpis.Failed(cpis.RefusedDuplicate, "the message id or tracking id was used before")
	e := g.entry(q, audit.Refused, refusal)
	e.Code = g.config.ReplayCode
	_, err := g.log.Append(ctx, e)
	if err != nil {
		return cpis.Answer{}, errors.Join(ErrNotRecorded, err)
	}
	return refusal, nil
}

// recordNothingAsked closes an intent that may be in the log although recording it
// failed, so that a restart does not take it for a question that was asked. The
// client is told that nothing was asked whether this succeeds or not.
func (g *Gateway) recordNothingAsked(ctx context.Context, q Question) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.config.RecordReserve)
	defer cancel()
	failed := cpis.Failed(cpis.AuditFailedBefore, "the intent may not have been recorded; nothing was asked")
	_, _ = g.log.Append(ctx, g.entry(q, audit.Outcome, failed))
}

// ask makes the checks and asks. It keeps a failure of Ward's own from leaving a
// question without an outcome (WRD-VAL-18).
func (g *Gateway) ask(ctx context.Context, q Question, ids []string, end time.Time) (answer cpis.Answer, remarks []string, used int) {
	asked := false
	defer func() {
		switch {
		case recover() == nil:
		case asked:
			answer, used = cpis.Failed(cpis.InternalAfterSent, "the provider failed while asking"), len(ids)
		default:
			answer = cpis.Failed(cpis.InternalNotSent, "the provider failed over a check before it asked")
		}
	}()
	ctx, cancel := context.WithDeadline(context.WithValue(ctx, asking{}, q), end)
	defer cancel()
	found, remarks := g.check(ctx, q, end)
	if found.Refused {
		return found.Refusal, nil, 0
	}
	asked = true
	answer, used = g.spine.Ask(ctx, q.Correlation, q.Query, ids)
	return answer.WithVerification(found.Verification), remarks, used
}

// check makes the checks, and puts together what they found. They have half of the time:
// a question that is sent too late to be answered is one of unknown outcome.
func (g *Gateway) check(ctx context.Context, q Question, end time.Time) (all Finding, remarks []string) {
	now := g.config.Now()
	ctx, cancel := context.WithDeadline(ctx, now.Add(end.Sub(now)/2))
	defer cancel()
	for _, check := range g.config.Checks {
		found := check(ctx, q)
		if found.Refused {
			return found, nil
		}
		if found.Remark != "" {
			remarks = append(remarks, found.Remark)
		}
		all.Verification = max(all.Verification, found.Verification)
	}
	return all, remarks
}

// refuse decides what may not be asked, before anything is recorded as intended.
func (g *Gateway) refuse(q Question) (cpis.Answer, bool) {
	if q.Invalid != "" {
		return cpis.Failed(cpis.InputInvalid, q.Invalid), true
	}
	reason := q.Client.Refuses(q.Query.Author, q.AuditIdentities)
	if reason != "" {
		return cpis.Failed(cpis.AuthorRejected, reason), true
	}
	if g.config.Numbers.Judge(q.Query.Number) == cpis.NumberRefused {
		return cpis.Failed(cpis.InputInvalid, "the NHS number is not one that may be asked about"), true
	}
	return cpis.Answer{}, false
}

// Recover closes the questions that an earlier run left open, after a crash: the
// outcome of each is unknown, and the log says so (WRD-AUD-05). It returns how
// many there were.
func Recover(ctx context.Context, log Log, open []audit.Entry, now func() time.Time) (int, error) {
	for i, intent := range open {
		recovered := intent
		recovered.Kind = audit.Recovered
		recovered.Time = now()
		recovered.Outcome = cpis.OutcomeUnknown.String()
		recovered.Notified = cpis.NotifiedMaybe.String()
		recovered.Reason = "the provider stopped before the outcome was recorded; no findings were told"
		_, err := log.Append(ctx, recovered)
		if err != nil {
			return i, errors.Join(ErrNotRecorded, err)
		}
	}
	return len(open), nil
}
