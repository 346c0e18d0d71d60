package event

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardsmsp/ward/internal/audit"
)

// maxDetail bounds what is told of an entry's detail, in bytes: collectors need
// not take messages of more than 32768 octets (PS3.15 A.6). A longer one is left
// to the log.
const maxDetail = 8 << 10

// objects are what the event was about, the entry of the log last.
func objects(r audit.Record, source Source, row row) []Object {
	e := r.Entry
	var all []Object
	switch {
	case e.NHSNumber != "":
		all = append(all, Object{Kind: Patient, System: NHSNumber, ID: text(e.NHSNumber), Name: "NHS number"})
	case r.State != audit.Whole && e.Kind.Class() != audit.Operations: // a start is about nobody, sealed or not
		all = append(all, Object{Kind: Patient, Name: "not available: personal content " + absence(r.State),
			Details: []Detail{{"personal-content", r.State.String()}}})
	}
	if e.Correlation != "" {
		all = append(all, Object{Kind: Transaction, ID: text(e.Correlation), Name: "correlation"})
	}
	all = addMessage(all, "message id", e.MessageID)
	all = addMessage(all, "tracking id", e.TrackingID)
	all = addMessage(all, "query id", e.QueryID)
	for _, id := range e.SpineMessageIDs {
		all = addMessage(all, "Spine message id", id)
	}
	if row.id == query {
		all = append(all, asked(r))
	}
	if len(e.Detail) > 0 && len(e.Detail) <= maxDetail && e.Kind == audit.Read {
		all = append(all, Object{Kind: Criteria, ID: "criteria", Query: e.Detail})
	}
	return append(all, logEntry(r, source))
}

func addMessage(all []Object, name, id string) []Object {
	if id == "" {
		return all
	}
	return append(all, Object{Kind: Message, ID: text(id), Name: name})
}

// asked is the question. Ward keeps no copy of the message, so this is what CP-IS,
// or before it the directory or the demographics service, was asked, written as the
// query part of a URL.
func asked(r audit.Record) Object {
	e := r.Entry
	parameters := url.Values{"event": {"CP-IS query"}}
	if e.Kind == audit.LookedUp {
		parameters.Set("event", "look-up")
	}
	if e.QueryID != "" {
		parameters.Set("query-id", e.QueryID)
	}
	switch {
	case e.NHSNumber != "":
		parameters.Set("nhs-number", e.NHSNumber)
	case r.State != audit.Whole:
		parameters.Set("personal-content", r.State.String())
	}
	id := text(e.QueryID)
	if id == "" {
		id = "unknown"
	}
	return Object{Kind: Query, ID: id, Query: []byte(parameters.Encode())}
}

// logEntry leads from the event to its proof: the sequence number and the hash of
// the leaf are those of the tree. BALP leaves out what was found and how many records
// there were, and so do these details: a collector is no place for a child's record.
func logEntry(r audit.Record, source Source) Object {
	e := r.Entry
	o := Object{
		Kind:   LogEntry,
		System: WardEntry,
		ID:     source.Log + "#" + strconv.FormatInt(r.Seq, 10),
		Name:   "Security Audit Log",
		Erased: e.Kind == audit.Erased || e.Kind == audit.Expired,
	}
	add := func(name, value string) {
		if value != "" {
			o.Details = append(o.Details, Detail{name, text(value)})
		}
	}
	count := func(name string, n int64) {
		if n != 0 {
			add(name, strconv.FormatInt(n, 10))
		}
	}
	add("sequence", strconv.FormatInt(r.Seq, 10))
	if len(r.Leaf) > 0 {
		add("leaf-hash", tlog.RecordHash(r.Leaf).String())
	}
	add("kind", string(e.Kind))
	add("personal-content", r.State.String())
	add("outcome", e.Outcome)
	add("code", e.Code)
	add("notified", e.Notified)
	add("reason", e.Reason)
	count("elapsed-us", e.Elapsed.Microseconds())
	add("software", e.Software)
	add("instance", e.Instance)
	add("subject", e.Subject)
	add("serial", e.Serial)
	add("issuer", e.Issuer)
	count("entries", int64(e.Entries))
	add("class", string(e.Class))
	add("order", e.Order)
	add("removed", ranges(e.Removed))
	add("hold", e.Hold)
	count("covered", e.Covered)
	switch {
	case len(e.Detail) > 0 && e.Kind.Class() == audit.Questions:
		add("detail", "what was said is left to the log")
	case len(e.Detail) > maxDetail:
		add("detail", fmt.Sprintf("%d bytes, left to the log", len(e.Detail)))
	case e.Kind != audit.Read:
		add("detail", string(e.Detail))
	}
	if e.Altered {
		add("altered", "true")
	}
	return o
}

// ranges writes runs of entries as "3-7 9-9", as many as there is room for.
func ranges(removed []audit.Range) string {
	var b strings.Builder
	for i, run := range removed {
		if b.Len() > maxDetail {
			fmt.Fprintf(&b, " and %d more", len(removed)-i)
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d-%d", run.First, run.Last)
	}
	return b.String()
}
