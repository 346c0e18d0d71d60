package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

// auditSearch finds entries of the log and shows a page of them, the newest first.
func auditSearch(ctx context.Context, args []string, out, log io.Writer) (err error) {
	set := flags("audit search", log)
	path := set.String("config", "", "configuration `FILE`")
	criteria := criteriaFlags(set)
	limit := set.Int("n", reading.DefaultLimit, "how many `ENTRIES`, at most 1000")
	cursor := set.String("cursor", "", "go on where an earlier page of the same search ended; it was printed below that `PAGE`")
	reason := set.String("reason", "", "`WHY` the log is read, to be recorded")
	asJSON := set.Bool("json", false, "print JSON, one entry on each line")
	err = parseAlone(set, args)
	if err != nil {
		return err
	}
	c, err := criteria()
	if err != nil {
		return err
	}
	if *limit < 1 || *limit > reading.MaxLimit {
		return usageError(fmt.Sprintf("-n must be from 1 to %d", reading.MaxLimit))
	}
	l, err := openLog(ctx, *path, *reason)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	result, err := l.reader().Search(ctx, l.who, c, reading.Page{Limit: *limit, Cursor: *cursor})
	if err != nil {
		return err
	}
	notes := out
	if *asJSON {
		notes = log // lines of JSON and nothing else
		err = printJSON(out, result.Records)
	} else if len(result.Records) > 0 {
		err = printTable(out, result.Records)
	}
	if err != nil {
		return err
	}
	return printEnd(notes, c, result)
}

// printEnd says what was searched, so that a search which found nothing cannot be taken
// for one that was not made.
func printEnd(out io.Writer, c reading.Criteria, result reading.Result) error {
	var err error
	switch {
	case len(result.Records) > 0:
		_, err = fmt.Fprintf(out, "%d of the entries that meet the criteria; the %d entries of the log from the first on were searched.\n",
			len(result.Records), result.Searched)
	case c.NHSNumber != "" || c.User != "" || c.Authority != "":
		_, err = fmt.Fprintf(out, "No entry meets the criteria; all %d entries of the log were searched. "+
			"An entry whose content was destroyed cannot be found by a person's number or name.\n", result.Searched)
	default:
		_, err = fmt.Fprintf(out, "No entry meets the criteria; all %d entries of the log were searched.\n", result.Searched)
	}
	if err == nil && result.Next != "" {
		_, err = fmt.Fprintf(out, "There are more: the same again with -cursor %s\n", result.Next)
	}
	return err
}

// criteriaFlags adds the flags that say which entries are sought. The function that it
// returns reads them after they were parsed.
func criteriaFlags(set *flag.FlagSet) func() (reading.Criteria, error) {
	var c reading.Criteria
	set.StringVar(&c.NHSNumber, "nhs", "", "about this NHS `NUMBER`. Others on this machine may see it in the list of processes; - reads it from standard input")
	set.StringVar(&c.User, "user", "", "by this `USER`: a user name, audit identity, user id of the author, or who acted on the log")
	set.StringVar(&c.Authority, "authority", "", "on the authority of this `PERSON`")
	set.StringVar(&c.Client, "client", "", "by this client, by its `NAME` in the configuration")
	set.StringVar(&c.Organisation, "org", "", "by a client of this organisation, by its ODS `CODE`")
	set.StringVar(&c.Message, "message", "", "of the transaction with this message, tracking, query or Spine message `ID`")
	set.StringVar(&c.Correlation, "correlation", "", "of the transaction with this correlation `ID`")
	set.StringVar(&c.Outcome, "outcome", "", "with this `OUTCOME`, such as found")
	set.StringVar((*string)(&c.Kind), "kind", "", "of this `KIND`, such as refused")
	since := set.String("since", "", "not before this `TIME`, such as 2026-11-02 or 2026-11-02T09:30 (UTC)")
	until := set.String("until", "", "before this `TIME`")
	set.Int64Var(&c.From, "from", 0, "from this sequence `NUMBER` on")
	set.Int64Var(&c.To, "to", 0, "before this sequence `NUMBER`")
	return func() (reading.Criteria, error) {
		for _, t := range []struct {
			name, text string
			time       *time.Time
		}{{"since", *since, &c.Since}, {"until", *until, &c.Until}} {
			err := parseTime(t.time, t.name, t.text)
			if err != nil {
				return reading.Criteria{}, err
			}
		}
		var err error
		c.NHSNumber, err = numberFrom(c.NHSNumber, os.Stdin)
		if err != nil {
			return reading.Criteria{}, err
		}
		err = c.Check()
		if err != nil {
			return reading.Criteria{}, usageError(err.Error())
		}
		return c, nil
	}
}

// parseTime reads a time of the command line. A time without a zone is UTC.
func parseTime(t *time.Time, name, text string) (err error) {
	if text == "" {
		return nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		*t, err = time.Parse(layout, text)
		if err == nil {
			return nil
		}
	}
	return usageError(fmt.Sprintf("-%s: give a time as 2026-11-02, 2026-11-02T09:30, 2026-11-02T09:30:00 or 2026-11-02T09:30:00+01:00; without a zone it is UTC", name))
}

// numberFrom is an NHS number as given, or the first line of the input for "-", so that
// it need not stand in the list of processes. Spaces within it do not matter.
func numberFrom(given string, in io.Reader) (string, error) {
	if given == "-" {
		line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("the NHS number cannot be read from standard input: %w", err)
		}
		given = strings.TrimSpace(line)
		if given == "" {
			return "", usageError("-nhs -: there is no NHS number on standard input")
		}
	}
	return strings.ReplaceAll(given, " ", ""), nil
}

// userOf is who asked or acted, by the first of the names that the entry has.
func userOf(e audit.Entry) string {
	switch {
	case len(e.AuditIdentities) > 0:
		return e.AuditIdentities[0].URI
	case e.Operator != "":
		return e.Operator
	default:
		return e.Username
	}
}
