package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/wardsmsp/ward/internal/audit/evidence"
	"github.com/wardsmsp/ward/internal/audit/subjectaccess"
)

// auditSubject writes what the log holds about one person, for that person.
func auditSubject(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit subject", log)
	path := set.String("config", "", "configuration `FILE`")
	number := set.String("nhs", "", "whose report: NHS `NUMBER`, or - to read it from standard input")
	folder := set.String("out", "", "new `FOLDER` to write report.html, report.json and entries.jsonl to")
	mask := set.Bool("mask", false, "leave out the names of staff")
	reason := set.String("reason", "", "`WHY` the report is made, to be recorded")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	if *number == "" || *folder == "" {
		return usageError("name the person and where to write: -nhs NUMBER|- -out FOLDER")
	}
	digits, err := numberFrom(*number, os.Stdin)
	if err != nil {
		return err
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	// Before anything is recorded: a report that cannot be written is no reading.
	err = os.Mkdir(*folder, 0o700)
	if err != nil {
		return err
	}
	report, err := subjectaccess.Make(ctx, l.reader(), subjectaccess.Request{
		NHSNumber: digits, Mask: *mask, Who: l.who, Origin: l.file.Verifier.Name(), Now: time.Now(),
	})
	if err != nil {
		return errors.Join(err, os.Remove(*folder))
	}
	proofs := func(w io.Writer) error {
		// Opened, they name the staff.
		_, err := evidence.WriteSelection(ctx, w, l.store, report.Seqs(), l.evidence(!*mask))
		return err
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{{"report.html", report.HTML}, {"report.json", report.JSON}, {"entries.jsonl", proofs}} {
		err := exportTo(filepath.Join(*folder, file.name), file.write)
		if err != nil {
			return fmt.Errorf("the report is not whole: %w", err)
		}
	}
	_, err = fmt.Fprintf(out, "wrote %s: %d entries are about this person, of the %d that were searched. It is confidential.\n",
		*folder, len(report.Entries), report.Searched)
	return err
}
