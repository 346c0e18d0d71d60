package removal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Criteria say which entries a hold covers: those that meet all that are given, and
// the other entries of their transactions.
type Criteria struct {
	NHSNumber    string    `json:"-"` // stands in the entry
	User         string    `json:"user,omitempty"`
	Organisation string    `json:"organisation,omitempty"` // ODS code
	Since        time.Time `json:"since,omitzero"`
	Until        time.Time `json:"until,omitzero"` // not included
}

// Hold is a legal hold.
type Hold struct {
	Name      string // stands in clear in the log, so it must not say who it is about
	Criteria  Criteria
	Authority string
	Reason    string
	Operator  string
	Seq       int64     // of the entry that laid it
	Time      time.Time // when it was laid
	Unknown   bool      // what it covers cannot be read: it counts as covering everything
}

func (h Hold) check() error {
	switch {
	case strings.TrimSpace(h.Name) == "" || !isLine(h.Name):
		return errors.New("a hold needs a name in one line")
	case len(digits(h.Name)) >= 10:
		return errors.New("the name of a hold stands in clear in the log, so it must not hold a number that could be somebody's NHS number")
	case strings.TrimSpace(h.Authority) == "":
		return errors.New("say on whose authority")
	case h.Criteria == Criteria{}:
		return errors.New("say what is held: an NHS number, a user, an organisation, or a period")
	case h.Criteria.NHSNumber != "" && !isNHSNumber(h.Criteria.NHSNumber):
		return errors.New("an NHS number has ten digits")
	case !h.Criteria.Until.IsZero() && !h.Criteria.Since.Before(h.Criteria.Until):
		return errors.New("the period that is held ends before it begins")
	}
	return nil
}

// covers reports whether an entry meets the criteria. What cannot be read meets those
// that ask about it.
func (h Hold) covers(e entry) bool {
	c := h.Criteria
	unread := e.state == audit.Locked
	switch {
	case h.Unknown || e.seq == h.Seq:
		return true
	case c.NHSNumber != "" && e.NHSNumber != c.NHSNumber && !unread,
		c.User != "" && !slices.ContainsFunc(users(e.Entry), func(user string) bool { return strings.EqualFold(user, c.User) }) && !unread,
		c.Organisation != "" && !strings.EqualFold(e.Organisation, c.Organisation) && !ofOrganisation(e.Author, c.Organisation) && !unread,
		!c.Since.IsZero() && e.Time.Before(c.Since),
		!c.Until.IsZero() && !e.Time.Before(c.Until):
		return false
	}
	return true
}

func users(e audit.Entry) []string {
	all := []string{e.Username, e.Operator}
	for _, identity := range e.AuditIdentities {
		all = append(all, identity.URI)
	}
	if e.Author != nil {
		all = append(all, e.Author.UserID)
	}
	return all
}

func ofOrganisation(a *audit.Author, code string) bool {
	return a != nil && strings.EqualFold(a.Organisation, code)
}

// holds are those that are active.
type holds struct {
	active []Hold
	size   int64 // of the log as far as it was looked at
}

// Holds returns the active holds, in the order in which they were laid.
func (r *Remover) Holds(ctx context.Context) ([]Hold, error) {
	head, err := r.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	terms := slices.Concat(audit.TermsOf(r.Keys, audit.FieldKind, string(audit.Held)), audit.TermsOf(r.Keys, audit.FieldKind, string(audit.Released)))
	var seqs []int64
	for seq, err := range r.found(ctx, terms, r.holds.size, head.Size) {
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	active := slices.Clone(r.holds.active)
	for _, seq := range slices.Backward(seqs) {
		e, err := r.readOne(ctx, seq)
		if err != nil {
			return nil, err
		}
		switch e.Kind {
		case audit.Held:
			active = append(active, holdOf(e))
		case audit.Released:
			active = slices.DeleteFunc(active, func(h Hold) bool { return h.Name == e.Hold })
		}
	}
	r.holds = holds{active, head.Size}
	return slices.Clone(active), nil
}

func holdOf(e entry) Hold {
	h := Hold{Name: e.Hold, Authority: e.Authority, Reason: e.Purpose, Operator: e.Operator, Seq: e.seq, Time: e.Time}
	h.Unknown = e.state != audit.Whole || e.Altered || json.Unmarshal(e.Detail, &h.Criteria) != nil
	h.Criteria.NHSNumber = e.NHSNumber
	h.Unknown = h.Unknown || h.Criteria == Criteria{}
	return h
}

// Lay lays a hold. Its name must not be that of an active one.
func (r *Remover) Lay(ctx context.Context, h Hold) error {
	err := h.check()
	if err != nil {
		return err
	}
	detail, err := json.Marshal(h.Criteria)
	if err != nil {
		return err
	}
	e := audit.Entry{Kind: audit.Held, Hold: h.Name, NHSNumber: h.Criteria.NHSNumber,
		Authority: h.Authority, Purpose: h.Reason, Detail: detail}
	return r.act(ctx, e, func(active []Hold) error {
		if slices.ContainsFunc(active, func(other Hold) bool { return other.Name == h.Name }) {
			return fmt.Errorf("there is a hold of the name %q: take another name, or release that one first", h.Name)
		}
		return nil
	})
}

// Release lifts an active hold.
func (r *Remover) Release(ctx context.Context, name, authority, reason string) error {
	if strings.TrimSpace(authority) == "" {
		return errors.New("say on whose authority")
	}
	e := audit.Entry{Kind: audit.Released, Hold: name, Authority: authority, Purpose: reason}
	return r.act(ctx, e, func(active []Hold) error {
		if !slices.ContainsFunc(active, func(h Hold) bool { return h.Name == name }) {
			return fmt.Errorf("no hold of the name %q is active; list them with: ward audit holds", name)
		}
		return nil
	})
}

// act records a hold or its release if the active holds allow it.
func (r *Remover) act(ctx context.Context, e audit.Entry, allowed func([]Hold) error) error {
	return r.inTurn(ctx, func(turn audit.Claim, active []Hold) error {
		err := allowed(active)
		if err != nil {
			return err
		}
		e.Time, e.Operator = r.Now(), r.Operator
		_, err = r.Log.AppendOnce(ctx, e, turn)
		return err
	})
}

// inTurn acts on the active holds, and again where another act came first.
func (r *Remover) inTurn(ctx context.Context, act func(turn audit.Claim, active []Hold) error) error {
	for range maxTurns {
		turn, err := r.turn(ctx)
		if err != nil {
			return err
		}
		active, err := r.Holds(ctx)
		if err != nil {
			return err
		}
		err = act(turn, active)
		if !errors.Is(err, audit.ErrClaimed) {
			return err
		}
	}
	return errors.New("others act on this log all the time: try again later")
}

// coveredBy returns the name of a hold that covers one of some entries, "" if none does.
func coveredBy(active []Hold, entries ...entry) string {
	for _, h := range active {
		if slices.ContainsFunc(entries, h.covers) {
			return h.Name
		}
	}
	return ""
}
