package reading

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
)

// Recorder is the log in which readings are recorded, an audit.Log.
type Recorder interface {
	Append(ctx context.Context, e audit.Entry) (seq int64, err error)
}

// ErrNotRecorded means that a reading could not be recorded, so that nothing is shown.
var ErrNotRecorded = errors.New("the reading could not be recorded in the audit log, so nothing is shown")

// ErrNoOperator means that a reading was asked for by nobody.
var ErrNoOperator = errors.New("whoever reads the audit log must be named")

// detail is what is recorded of a reading beside who read.
type detail struct {
	Did      string     `json:"did"`            // "search", "transaction", "show", "prove", "export", "exported", "subject" or "viewers"
	Form     string     `json:"form,omitempty"` // of an export
	Criteria Criteria   `json:"criteria"`
	Searched int64      `json:"searched"`         // entries of the log that were searched
	Before   *int64     `json:"before,omitempty"` // of a page that is not the first: below which entry it begins
	Masked   *bool      `json:"masked,omitempty"` // of a report to a person: whether names of staff were left out
	Shown    [][2]int64 `json:"shown,omitempty"`  // runs of entries, first and last among them
	Whole    bool       `json:"whole,omitempty"`  // of an export that has ended: nothing was left out
}

// record records a reading. Until it has returned nil nothing may be shown.
func (r *Reader) record(ctx context.Context, who Who, did detail, records []audit.Record) error {
	did.Shown = runsOf(seqsOf(records))
	number := did.Criteria.NHSNumber
	if number == "" {
		number = onlyNumber(records)
	}
	return r.append(ctx, who, did, number, len(records))
}

// recordTime is how long recording a reading may take.
const recordTime = 10 * time.Second

// append writes the entry of a reading. It has the NHS number that was sought, or that
// of the one person who was seen, so that it is found again under that number.
func (r *Reader) append(ctx context.Context, who Who, did detail, number string, entries int) error {
	if who.Operator == "" {
		return ErrNoOperator
	}
	text, err := json.Marshal(did)
	if err != nil {
		return errors.Join(ErrNotRecorded, err)
	}
	if len(text) > audit.MaxDetail { // the log would keep nothing of it
		return errors.Join(ErrNotRecorded, errTooMany)
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	_, err = r.log.Append(ctx, audit.Entry{
		Kind:      audit.Read,
		Time:      r.now(),
		Remote:    who.Remote,
		Operator:  who.Operator,
		Purpose:   who.Purpose,
		NHSNumber: number,
		Entries:   entries,
		Detail:    text,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRecorded, err)
	}
	return nil
}

func seqsOf(records []audit.Record) []int64 {
	seqs := make([]int64, len(records))
	for i, record := range records {
		seqs[i] = record.Seq
	}
	return seqs
}

// runsOf puts sequence numbers, rising or falling, into runs.
func runsOf(seqs []int64) [][2]int64 {
	var all [][2]int64
	for _, seq := range seqs {
		if n := len(all); n > 0 && seq == all[n-1][1]+1 {
			all[n-1][1]++
		} else if n > 0 && seq == all[n-1][0]-1 {
			all[n-1][0]--
		} else {
			all = append(all, [2]int64{seq, seq})
		}
	}
	return all
}

// onlyNumber is the NHS number of which records are, "" if they are of several or none.
func onlyNumber(records []audit.Record) string {
	number := ""
	for _, record := range records {
		switch record.Entry.NHSNumber {
		case "", number:
		default:
			if number != "" {
				return ""
			}
			number = record.Entry.NHSNumber
		}
	}
	return number
}
