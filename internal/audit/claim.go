package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"
)

// ErrClaimed is returned by AppendOnce when one of the ids was claimed before.
// Nothing was recorded (WRD-VAL-16).
var ErrClaimed = errors.New("audit: an id was claimed before")

// Claim is what makes an entry the only one of its kind: ids that no other entry
// of the same client can claim. A claim lives in the transaction of its entry, so
// that it holds across restarts, and across all who write to one store
// (WRD-VAL-17, WRD-OPS-01).
type Claim struct {
	Client string    // whose ids they are
	IDs    []string  // of any form; at most MaxClaims
	Until  time.Time // when the ids have lost their use, so that the claim may be forgotten
}

// MaxClaims is how many ids one entry may claim.
const MaxClaims = 4

// claimGrace is how much longer claims are kept than they need to be, should the
// clock be set back meanwhile.
const claimGrace = time.Hour

// ClaimKey stands for one id of one client in a store. It tells nothing about
// them.
type ClaimKey [sha256.Size]byte

// KeyOf is the key of an id of a client. A client's name holds no NUL.
func KeyOf(client, id string) ClaimKey { return sha256.Sum256([]byte(client + "\x00" + id)) }

// ClaimRow is a claim as stored.
type ClaimRow struct {
	Key   ClaimKey
	Until int64 // Unix time in seconds from which on it may be forgotten
}

func (c Claim) rows() ([]ClaimRow, error) {
	if len(c.IDs) > MaxClaims {
		return nil, errors.New("audit: an entry claims too many ids")
	}
	until := c.Until.Add(claimGrace).Unix()
	rows := make([]ClaimRow, len(c.IDs))
	for i, id := range c.IDs {
		if slices.Contains(c.IDs[:i], id) {
			return nil, errors.New("audit: an entry claims an id twice")
		}
		rows[i] = ClaimRow{Key: KeyOf(c.Client, id), Until: until}
	}
	return rows, nil
}

// AppendOnce is Append for an entry that is to be recorded only if none of its
// ids was claimed before; otherwise it returns ErrClaimed. After any other error
// the ids must be taken as claimed, although they may not be.
func (l *Log) AppendOnce(ctx context.Context, e Entry, c Claim) (seq int64, err error) {
	rows, err := c.rows()
	if err != nil {
		return 0, err
	}
	return l.append(ctx, e, rows, nil)
}

// AppendRemoval is Append for an entry that says of which earlier entries the content
// is removed; the contents go in the transaction that records it (WRD-AUD-10). With
// claims it is AppendOnce: nothing is removed once something else with one of the
// claims was recorded.
func (l *Log) AppendRemoval(ctx context.Context, e Entry, removals []Removal, claims ...Claim) (seq int64, err error) {
	var all []ClaimRow
	for _, c := range claims {
		rows, err := c.rows()
		if err != nil {
			return 0, err
		}
		all = append(all, rows...)
	}
	return l.append(ctx, e, all, removals)
}

// admit marks the entries of a group that claim what was claimed before, in the
// store or by an earlier entry of the group.
func admit(ctx context.Context, turn Turn, group []*pending) error {
	var keys []ClaimKey
	for _, p := range group {
		for _, claim := range p.claims {
			keys = append(keys, claim.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	claimed, err := turn.Claimed(ctx, keys)
	if err != nil {
		return err
	}
	for _, p := range group {
		p.refused = slices.ContainsFunc(p.claims, func(c ClaimRow) bool { return claimed[c.Key] })
		if p.refused {
			continue
		}
		for _, claim := range p.claims {
			claimed[claim.Key] = true
		}
	}
	return nil
}
