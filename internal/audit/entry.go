// Package audit is Ward's append-only audit log.
//
// Entries are the leaves of an RFC 6962 Merkle tree. They are committed in
// groups: the rows, the tree's hashes, the list of open intents and a signed
// checkpoint of the whole tree land in one durable transaction, or none of
// them does. The newest checkpoint is also written to a directory outside the
// store, so that a store that was cut short or replaced by an older copy does
// not go unnoticed.
//
// Anyone who holds the public key can check a whole store with [Verify], while
// Ward runs or without it.
package audit

import (
	"fmt"
	"time"
)

// Kind says what an entry records. A kind is 1 to 32 lower-case letters and
// underscores; the constants are those that Ward writes.
type Kind string

// The kinds of entry.
const (
	Started     Kind = "started"     // Ward came up
	Stopped     Kind = "stopped"     // Ward went down in order
	Intent      Kind = "intent"      // a question is about to leave for the Spine (WRD-AUD-04)
	Outcome     Kind = "outcome"     // what became of it, before the client is told (WRD-AUD-05)
	Refused     Kind = "refused"     // a request was turned down before anything was asked (WRD-AUD-08)
	Recovered   Kind = "recovered"   // an intent found without an outcome at a restart: outcome unknown
	Undelivered Kind = "undelivered" // the client went away before the answer was written (WRD-RC-18)
)

// closes reports whether an entry of this kind ends the intent with the same
// correlation.
func (k Kind) closes() bool { return k == Outcome || k == Recovered }

func (k Kind) valid() bool {
	if len(k) == 0 || len(k) > 32 {
		return false
	}
	for _, c := range []byte(k) {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}

// Limits on what one entry holds. A longer value or list is not refused, since
// a client must not be able to keep an event out of the log by sending much: it
// is cut, and the entry says so with Altered.
const (
	MaxText = 512     // bytes of one text value
	MaxList = 16      // items of one list
	MaxLeaf = 1 << 19 // bytes of an encoded entry; the other limits keep every entry below it
)

// Entry is one event. Its sequence number is not part of it: the log assigns
// that when it commits. Empty fields are left out of the stored form.
type Entry struct {
	Kind        Kind
	Time        time.Time // when it happened, set by the caller; kept in UTC to the millisecond
	Correlation string    // joins the entries of one transaction, a UUID

	Client          string     // the client system's name in the registry
	Organisation    string     // its ODS code
	Certificate     string     // SHA-256 fingerprint of its certificate, hexadecimal
	Subject         string     // of a certificate that was refused (WRD-IAM-04)
	Serial          string     // its serial number, hexadecimal
	Issuer          string     // who it says has issued it
	Remote          string     // its network address
	Username        string     // the WS-Security user name as given
	AuditIdentities []Identity // as given by the client
	Author          *Author    // who asks, as the query says

	NHSNumber       string
	MessageID       string   // of the client's message
	TrackingID      string   // of the client's message
	QueryID         string   // of the CP-IS query event
	SpineMessageIDs []string // of the messages sent to the Spine

	Outcome  string // the outcome's name, such as "found", "no_record", "not_sent"
	Code     string // the response or fault code told to the client, such as "SMSP-0000"
	Notified string // whether the local authority was notified: "yes", "no" or "maybe"
	Reason   string // a short fixed reason: a rule's id, or the cause of a failure
	Records  int    // how many records were told
	Accesses int    // how many accesses were told

	Elapsed  time.Duration // since the request was received; kept to the microsecond
	Software string        // the build, on started

	// Altered says that the stored form differs from what was given: a value
	// or a list was cut to its limit, or bytes that are not UTF-8 were replaced
	// by U+FFFD. The log sets it.
	Altered bool
}

// Identity is an audit identity of the client's message.
type Identity struct {
	Type string
	URI  string
}

// Author is who asks, a person or a system.
type Author struct {
	Form             string // "person" or "system"
	UserID           string
	RoleProfile      string
	RoleCode         string
	RoleName         string
	Name             string
	Organisation     string // ODS code
	OrganisationName string
	ASID             string
	Authorities      []Authority
}

// Authority is a person nominated as responsible for a system's questions.
type Authority struct {
	RoleCode string
	RoleName string
	Name     string
}

// check reports what makes e unfit to be an entry. Everything else about an
// entry can be stored whatever it is.
func (e *Entry) check() error {
	year := e.Time.UTC().Year()
	switch {
	case !e.Kind.valid():
		return fmt.Errorf("audit: %.40q is not a kind of entry", e.Kind)
	case year < 1970 || year > 9999:
		return fmt.Errorf("audit: the time of a %q entry is not set or out of range", e.Kind)
	case e.Correlation == "" && (e.Kind == Intent || e.Kind.closes()):
		return fmt.Errorf("audit: a %q entry needs a correlation", e.Kind)
	}
	return nil
}
