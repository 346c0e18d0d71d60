// Package subjectaccess makes the report that a person gets about themselves: every entry of
// the audit log that is about them, in plain words (MSCA-ORG-04a).
package subjectaccess

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardsmsp/ward/internal/audit/reading"
)

// Request says whose report it is, and who makes it.
type Request struct {
	NHSNumber string      // ten digits
	Mask      bool        // leave out the names and identities of staff (WRD-AUD-13)
	Who       reading.Who // makes the report
	Origin    string      // of the log
	Now       time.Time
}

// Report is what the log holds about one person. Its JSON is for machines.
type Report struct {
	Version   int       `json:"version"` // 1
	NHSNumber string    `json:"nhs_number"`
	Log       string    `json:"log"` // the origin
	Made      time.Time `json:"made"`
	Masked    bool      `json:"masked,omitempty"` // names of staff were left out
	Searched  int64     `json:"searched"`         // the entries 0 to Searched - 1 of the log were searched

	// Terms are the keyed terms of the person, 16 hexadecimal digits each. An entry of
	// the log is about them if its sealed content carries one of these, so that a full
	// export shows whether the report is complete.
	Terms   []string `json:"terms"`
	Entries []Entry  `json:"entries"`

	Untold  reading.Tally `json:"untold"`  // further readings of the log of which it cannot be told whether they showed entries about the person
	Backups reading.Tally `json:"backups"` // copies of the whole log, in which what is personal is sealed
}

// Entry is one entry of the log that is about the person.
type Entry struct {
	Seq          int64     `json:"seq"`
	Time         time.Time `json:"time"`
	Kind         string    `json:"kind"`
	What         string    `json:"what"`            // in plain words
	Authority    string    `json:"local_authority"` // whether it was told, in plain words; "" where that is no matter
	Who          []string  `json:"who,omitempty"`   // staff; empty in a masked report
	Role         string    `json:"role,omitempty"`  // of who asked
	Organisation string    `json:"organisation,omitempty"`
	Purpose      string    `json:"purpose,omitempty"` // of a reading of this person's entries alone
	State        string    `json:"state"`             // whole, locked or removed: whether more is known

	// Several says that this is a reading of the log that may have shown entries about
	// other people too. It carries no term of the person, and what was recorded of it
	// may name the others, so that it is no part of the proofs.
	Several bool `json:"several,omitempty"`
}

// Make collects the report about a person and records that it was made, with the
// choice of masking. What cannot be recorded is not returned. The entry that records it
// is not part of the report.
func Make(ctx context.Context, log *reading.Reader, q Request) (Report, error) {
	p, err := log.Subject(ctx, q.Who, q.NHSNumber, q.Mask)
	if err != nil {
		return Report{}, err
	}
	r := Report{Version: 1, NHSNumber: p.NHSNumber, Log: q.Origin, Made: q.Now.UTC(), Masked: q.Mask, Searched: p.Searched,
		Untold: p.Untold, Backups: p.Backups}
	for _, term := range p.Terms {
		r.Terms = append(r.Terms, fmt.Sprintf("%016x", uint64(term)))
	}
	for _, record := range p.Records {
		r.Entries = append(r.Entries, describe(record, q.Mask))
	}
	for _, view := range p.Views {
		r.Entries = append(r.Entries, describeView(view, q.Mask))
	}
	slices.SortFunc(r.Entries, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return r, nil
}

// Seqs are the sequence numbers of the entries that can be handed out with proofs,
// rising.
func (r *Report) Seqs() []int64 {
	var seqs []int64
	for _, e := range r.Entries {
		if !e.Several {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}
