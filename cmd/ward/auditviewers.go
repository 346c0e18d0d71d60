package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

// auditViewers lists who asked about one person, and who saw what the log holds about
// them (IG-3.9.3a).
func auditViewers(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit viewers", log)
	path := set.String("config", "", "configuration `FILE`")
	given := set.String("nhs", "", "whose viewers: NHS `NUMBER`, or - to read it from standard input, since others on this machine may see the list of processes")
	since := set.String("since", "", "not before this `TIME`, such as 2026-11-02 or 2026-11-02T09:30 (UTC)")
	until := set.String("until", "", "before this `TIME`")
	reason := set.String("reason", "", "`WHY` the log is read, to be recorded")
	asJSON := set.Bool("json", false, "print JSON")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	if *given == "" {
		return usageError("name the person: -nhs NUMBER|-")
	}
	c := reading.Criteria{}
	err = errors.Join(parseTime(&c.Since, "since", *since), parseTime(&c.Until, "until", *until))
	if err != nil {
		return err
	}
	c.NHSNumber, err = numberFrom(*given, os.Stdin)
	if err != nil {
		return err
	}
	err = c.Check()
	if err != nil {
		return usageError(err.Error())
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	v, err := l.reader().Viewers(ctx, l.who, c.NHSNumber, c.Since, c.Until)
	switch {
	case err != nil:
		return err
	case *asJSON:
		return printViewersJSON(out, v)
	default:
		return printViewers(out, v)
	}
}

func printViewersJSON(out io.Writer, v reading.Viewers) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	if err != nil {
		return err
	}
	_, err = out.Write(escape(b.Bytes()))
	return err
}

func printViewers(out io.Writer, v reading.Viewers) error {
	var b bytes.Buffer
	fmt.Fprintln(&b, confidential)
	fmt.Fprintf(&b, "\nQuestions about this person: %d\n", len(v.Questions))
	if len(v.Questions) > 0 {
		printQuestions(&b, v.Questions)
	}
	fmt.Fprintf(&b, "\nReadings that showed the log's entries about them, may have, or looked for them: %d\n", len(v.Views))
	if len(v.Views) > 0 {
		printViews(&b, v.Views)
	}
	for _, copies := range v.Backups {
		fmt.Fprintf(&b, "\nBackups of the whole log by %s: %d, from %s to %s. What is personal stays sealed in them, but for entries of versions 1 and 2.\n",
			cell(copies.Operator), copies.Count, copies.First.Format(timeForm), copies.Last.Format(timeForm))
	}
	fmt.Fprintf(&b, "\nAll %d entries of the log were searched. An entry whose content was destroyed cannot be found by a person's number, "+
		"and nor can who saw it, unless the rest of its transaction is there.\n", v.Searched)
	_, err := out.Write(b.Bytes())
	return err
}

func printQuestions(out io.Writer, questions []reading.Question) {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRIES\tTIME (UTC)\tCLIENT\tORGANISATION\tUSER\tAUTHOR\tOUTCOME\tNOTIFIED\tCORRELATION")
	for _, q := range questions {
		outcome := q.Outcome
		if outcome == "" {
			outcome = "not recorded"
		}
		if q.Undelivered {
			outcome += ", not delivered"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", runsText(q.Entries), q.Time.Format(timeForm), cell(q.Client), cell(q.Organisation),
			namesText(q.Users, q.State), namesText(q.Author, q.State), cell(outcome), cell(q.Notified), cell(q.Correlation))
	}
	table.Flush()
}

func printViews(out io.Writer, views []reading.View) {
	words := map[reading.Certainty]string{
		reading.Shown: "shown", reading.MayShow: "MAY HAVE BEEN SHOWN", reading.Sought: "sought, none shown", reading.Untold: "CANNOT BE TOLD",
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "SEQ\tTIME (UTC)\tTHEIR ENTRIES\tDID\tOPERATOR\tADDRESS\tENTRIES\tREASON")
	for _, v := range views {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Seq, v.Time.Format(timeForm), words[v.Certainty], cell(spaced(v.Did, v.Form)),
			namesText([]string{v.Operator}, v.State), cell(v.Remote), runsText(v.Shown), namesText([]string{v.Purpose}, v.State))
	}
	table.Flush()
}

// namesText are names as they may be shown, or why there are none.
func namesText(names []string, state string) string {
	text := strings.Join(names, ", ")
	for _, s := range []audit.State{audit.Removed, audit.Locked} {
		if text == "" && state == s.String() {
			return personal(s, "")
		}
	}
	return cell(text)
}

// runsText writes runs of entries as "3-7, 9".
func runsText(runs [][2]int64) string {
	var all []string
	for _, run := range runs {
		if run[0] == run[1] {
			all = append(all, fmt.Sprint(run[0]))
		} else {
			all = append(all, fmt.Sprintf("%d-%d", run[0], run[1]))
		}
	}
	return cell(strings.Join(all, ", "))
}
