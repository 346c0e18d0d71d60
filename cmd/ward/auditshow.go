package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/reading"
	"github.com/wardsmsp/ward/internal/shown"
	"github.com/wardsmsp/ward/internal/wording"
)

// auditShow shows a run of entries, or one whole transaction.
func auditShow(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit show", log)
	path := set.String("config", "", "configuration `FILE`")
	from := set.Int64("from", -1, "first sequence `NUMBER`; the newest entries if left out")
	count := set.Int("n", 20, "how many `ENTRIES`, at most 1000")
	correlation := set.String("correlation", "", "show the transaction with this correlation `ID`, each step in full")
	reason := set.String("reason", "", "`WHY` the log is read, to be recorded")
	asJSON := set.Bool("json", false, "print JSON, one entry on each line")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	if *count < 1 || *count > reading.MaxLimit {
		return usageError(fmt.Sprintf("-n must be from 1 to %d", reading.MaxLimit))
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	var records []audit.Record
	if *correlation != "" {
		records, err = l.reader().Transaction(ctx, l.who, *correlation)
	} else {
		records, err = l.reader().Show(ctx, l.who, *from, *count)
	}
	switch {
	case err != nil:
		return err
	case *asJSON:
		return printJSON(out, records)
	case *correlation == "" && len(records) == 0:
		_, err = fmt.Fprintf(out, "The log has no entry %d yet, nor any after it.\n", max(0, *from))
		return err
	case *correlation == "":
		return printTable(out, records)
	case len(records) == 0:
		_, err = fmt.Fprintln(out, "No entry has this correlation; the whole log was searched.")
		return err
	default:
		return printTransaction(out, records, l.file.Live)
	}
}

// printTransaction prints each step of a transaction with all that is known of it
// (IG-3.9.15).
func printTransaction(out io.Writer, records []audit.Record, live bool) error {
	_, err := fmt.Fprintln(out, confidential)
	for _, record := range records {
		if err == nil {
			err = printStep(out, record)
		}
		if err == nil && answers(record) {
			err = printAnswer(out, record, live)
		}
	}
	return err
}

// answers reports whether an entry records what a client was told. Where its content
// cannot be read, printStep has said so.
func answers(record audit.Record) bool {
	e := record.Entry
	return record.State == audit.Whole && (e.Kind == audit.Outcome || e.Kind == audit.Refused && strings.HasPrefix(e.Code, "SMSP-"))
}

// printAnswer prints an answer as `ward ask` would have shown it then (IG-3.9.2c).
func printAnswer(out io.Writer, record audit.Record, live bool) error {
	answer, err := shown.Rebuild(record.Entry)
	if err != nil {
		return fmt.Errorf("the answer of entry %d cannot be rebuilt: %w", record.Seq, err)
	}
	uk, err := time.LoadLocation("Europe/London")
	if err != nil {
		return err
	}
	number, err := cpis.ParseNHSNumber(record.Entry.NHSNumber)
	if err != nil {
		number = cpis.NHSNumber{} // not one, which is why nothing was asked
	}
	_, err = fmt.Fprintf(out, "\nWhat was told, in the words of ward ask:\n\n")
	if err != nil {
		return err
	}
	return wording.Describe(answer, wording.Context{
		Number: number, Reference: record.Entry.Correlation, CheckedAt: record.Entry.Time, Location: uk, Live: live,
	}).Text(out, width())
}

func printStep(out io.Writer, record audit.Record) error {
	var b bytes.Buffer
	e := record.Entry
	fmt.Fprintf(&b, "\nEntry %d, %s UTC: %s.\n", record.Seq, e.Time.UTC().Format(timeForm), meaning(e.Kind))
	for _, f := range fieldsOf(e) {
		if f.value != "" {
			fmt.Fprintf(&b, "  %-22s %s\n", f.label, cell(f.value))
		}
	}
	if why := unread(record.State); why != "" {
		fmt.Fprintf(&b, "  %-22s %s. Who asked, about whom and what was found cannot be told; that does not mean that nothing was found.\n", "Personal content", why)
	}
	if e.Altered {
		fmt.Fprintf(&b, "  %-22s %s\n", "Altered", "a value was too long or not text, and was changed to fit")
	}
	err := printDetail(&b, record)
	if err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return err
}

// meaning says in plain words what an entry records.
func meaning(k audit.Kind) string {
	words := map[audit.Kind]string{
		audit.Started:     "the provider started",
		audit.Stopped:     "the provider stopped",
		audit.Intent:      "a question was about to be sent to the Spine",
		audit.Outcome:     "how the question ended, recorded before the client was told",
		audit.Refused:     "a request was refused before anything was asked",
		audit.Recovered:   "the question had no outcome when the provider started again: its outcome is unknown",
		audit.Undelivered: "the client went away before the whole answer was written to it",
		audit.LookedUp:    "the directory or the demographics service was asked before the Spine",
		audit.Discarded:   "a reply that no question waited for; it was given to nobody",
		audit.Configured:  "the configuration in force",
		audit.Read:        "somebody read the log",
		audit.Verified:    "somebody verified the log",
		audit.Erased:      "content was destroyed on an order",
		audit.Expired:     "content was removed since its time of retention had ended",
		audit.Held:        "a legal hold was laid on entries",
		audit.Released:    "a legal hold was lifted",
		audit.Restored:    "the log goes on from a copy that lacks entries",
		audit.Stepped:     "the clock went back",
		audit.LoggedIn:    "somebody logged in",
		audit.LoggedOut:   "somebody logged out",
		audit.LoginFailed: "somebody did not get in",
	}
	if text, ok := words[k]; ok {
		return text
	}
	return string(k)
}

type field struct{ label, value string }

// fieldsOf are all fields of an entry but those that meaning, printDetail and printAnswer tell.
func fieldsOf(e audit.Entry) []field {
	fields := []field{
		{"Correlation", e.Correlation},
		{"Client", e.Client},
		{"Client's organisation", e.Organisation},
		{"Client's certificate", e.Certificate},
		{"Certificate's subject", e.Subject},
		{"Certificate's serial", e.Serial},
		{"Certificate's issuer", e.Issuer},
		{"Address", e.Remote},
		{"User name", e.Username},
	}
	for _, i := range e.AuditIdentities {
		fields = append(fields, field{"Audit identity", spaced(i.URI, i.Type)})
	}
	if a := e.Author; a != nil {
		fields = append(fields,
			field{"Author", spaced(a.Form, a.Name)},
			field{"Author's user id", a.UserID},
			field{"Author's role", spaced(a.RoleName, a.RoleCode, a.RoleProfile)},
			field{"Author's organisation", spaced(a.OrganisationName, a.Organisation)},
			field{"Author's ASID", a.ASID})
		for _, p := range a.Authorities {
			fields = append(fields, field{"Responsible", spaced(p.Name, p.RoleName, p.RoleCode)})
		}
	}
	fields = append(fields, []field{
		{"NHS number", e.NHSNumber},
		{"Message id", e.MessageID},
		{"Tracking id", e.TrackingID},
		{"Query id", e.QueryID},
		{"Spine message ids", strings.Join(e.SpineMessageIDs, ", ")},
		{"Outcome", e.Outcome},
		{"Code", e.Code},
		{"Authority notified", e.Notified},
		{"Reason", e.Reason},
		{"Records told", number(e.Records)},
		{"Accesses told", number(e.Accesses)},
		{"After", elapsed(e.Elapsed)},
		{"Software", e.Software},
		{"Instance", e.Instance},
		{"Operator", e.Operator},
		{"Purpose", e.Purpose},
		{"On the authority of", e.Authority},
		{"Entries", number(e.Entries)},
		{"Class of entries", string(e.Class)},
		{"Order", e.Order},
		{"Hold", e.Hold},
		{"Entries covered", number(int(e.Covered))},
	}...)
	for _, r := range e.Removed {
		fields = append(fields, field{"Content removed from", fmt.Sprintf("entries %d to %d", r.First, r.Last)})
	}
	return fields
}

func spaced(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func elapsed(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// printDetail prints what was asked of the log, or changed. What was told in answer to
// a question is printed as an answer.
func printDetail(out io.Writer, record audit.Record) error {
	if len(record.Entry.Detail) == 0 || record.Entry.Kind == audit.Outcome {
		return nil
	}
	var b bytes.Buffer
	err := json.Indent(&b, record.Entry.Detail, "    ", "  ")
	if err != nil {
		return fmt.Errorf("the detail of entry %d cannot be read: %w", record.Seq, err)
	}
	_, err = fmt.Fprintf(out, "  In detail:\n    %s\n", escape(b.Bytes()))
	return err
}
