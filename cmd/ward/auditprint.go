package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/wardsmsp/ward/internal/audit"
)

// confidential marks what holds personal data (IG-3.17.1).
const confidential = "NHS Confidential: Personal Data about a patient"

const timeForm = "2006-01-02 15:04:05.000"

// printTable prints records, one on each line.
func printTable(out io.Writer, records []audit.Record) error {
	_, err := fmt.Fprintln(out, confidential)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "SEQ\tTIME (UTC)\tKIND\tCLIENT\tUSER\tNHS NUMBER\tOUTCOME\tCODE\tNOTIFIED\tCORRELATION\tREASON")
	for _, record := range records {
		e := record.Entry
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", record.Seq,
			e.Time.UTC().Format(timeForm), e.Kind, cell(e.Client), personal(record.State, userOf(e)), personal(record.State, e.NHSNumber),
			cell(e.Outcome), cell(e.Code), cell(e.Notified), cell(e.Correlation), cell(e.Reason))
	}
	return table.Flush()
}

// unread says why what is personal in an entry cannot be shown, "" if it can. It must
// never look as if there were nothing to show.
func unread(s audit.State) string {
	switch s {
	case audit.Whole:
		return ""
	case audit.Removed:
		return "content destroyed"
	case audit.Locked:
		return "key not at hand"
	default:
		return "content not opened"
	}
}

// personal is a personal value as it may be shown, or why it is not.
func personal(s audit.State, value string) string {
	if why := unread(s); why != "" {
		return "[" + why + "]"
	}
	return cell(value)
}

// cell is a value as it may be shown: what a client sent must not be able to end
// the line, or to speak to the terminal.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// line is a record as a line of JSON. The leaf is text, so that it keeps each byte that
// is hashed whatever is done to the line.
type line struct {
	Seq   int64       `json:"seq"`
	State string      `json:"state"` // whether what is personal is in the entry: whole, sealed, locked or removed
	Entry audit.Entry `json:"entry"`
	Leaf  string      `json:"leaf"`
}

// printJSON prints records as lines of JSON.
func printJSON(out io.Writer, records []audit.Record) error {
	for _, record := range records {
		err := printLine(out, record)
		if err != nil {
			return err
		}
	}
	return nil
}

func printLine(out io.Writer, record audit.Record) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(line{record.Seq, record.State.String(), record.Entry, string(record.Leaf)})
	if err != nil {
		return errors.Join(fmt.Errorf("entry %d cannot be written as JSON", record.Seq), err)
	}
	_, err = out.Write(append(escape(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), '\n'))
	return err
}

// escape writes the characters of JSON that could speak to a terminal as escapes. They
// stand in texts alone.
func escape(text []byte) []byte {
	escaped := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			escaped = utf8.AppendRune(escaped, r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return escaped
}
