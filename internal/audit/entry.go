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
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
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
	LookedUp    Kind = "looked_up"   // the directory or the demographics service was asked (IG-3.9.2a)
	Discarded   Kind = "discarded"   // a reply of the Spine that no question waited for (WRD-SPN-17)

	Configured  Kind = "configured"   // the configuration that is in force, and what changed in it (IG-3.9.11)
	Read        Kind = "read"         // somebody read the log (IG-3.9.3b)
	Verified    Kind = "verified"     // somebody verified the log
	Erased      Kind = "erased"       // content was destroyed on an order (WRD-AUD-10)
	Expired     Kind = "expired"      // content was removed since its time of retention had ended (WRD-AUD-12)
	Held        Kind = "held"         // a legal hold was laid on entries (WRD-AUD-11)
	Released    Kind = "released"     // a legal hold was lifted
	Restored    Kind = "restored"     // the log goes on from a copy that lacks entries which were covered by a checkpoint
	Stepped     Kind = "stepped"      // the clock went back
	LoggedIn    Kind = "logged_in"    // somebody logged in (IG-3.15.4a)
	LoggedOut   Kind = "logged_out"   // somebody logged out
	LoginFailed Kind = "login_failed" // somebody did not get in (IG-3.15.4b)
)

// Kinds are all kinds of entry that Ward writes.
func Kinds() []Kind {
	return []Kind{Started, Stopped, Intent, Outcome, Refused, Recovered, Undelivered, LookedUp, Discarded, Configured, Read, Verified,
		Erased, Expired, Held, Released, Restored, Stepped, LoggedIn, LoggedOut, LoginFailed}
}

// closes reports whether an entry of this kind ends the intent with the same
// correlation.
func (k Kind) closes() bool { return k == Outcome || k == Recovered }

// Class is a class of entries for retention (MSCA-AUD-01c).
type Class string

// The classes of entries.
const (
	Questions  Class = "questions"  // what was asked, answered and refused
	Readings   Class = "readings"   // who read the log, and log-ins
	Operations Class = "operations" // starts, stops and changes
	Permanent  Class = "permanent"  // what was removed from the log and held, which is kept for ever
)

// Class is the class of an entry of this kind.
func (k Kind) Class() Class {
	switch k {
	case Intent, Outcome, Refused, Recovered, Undelivered, LookedUp, Discarded:
		return Questions
	case Read, Verified, LoggedIn, LoggedOut, LoginFailed:
		return Readings
	case Erased, Expired, Held, Released, Restored:
		return Permanent
	default:
		return Operations
	}
}

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

	MaxDetail  = 1 << 18 // bytes of Detail; a longer one is replaced by {}
	MaxRemoved = 1 << 10 // ranges of Removed; more are an error, since they must not be cut
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
	Instance string        // which of several instances of the provider wrote the entry

	Operator  string          // who acted on the log or the configuration
	Purpose   string          // what for, as they said
	Authority string          // on whose order: of an erasure or a hold
	Detail    json.RawMessage // what was shown, asked for or changed, as a JSON object

	Entries int     // how many entries were shown, or lost their content
	Class   Class   // of the entries that lost their content; "" for any
	Order   string  // SHA-256 of the order by which content was erased, hexadecimal
	Removed []Range // where entries lost their content
	Hold    string  // names a legal hold
	Covered int64   // in restored: entries that a checkpoint covers, of which the copy lacks the last

	// Content commits to what is sealed apart from the leaf: SHA-256 of the
	// sealed bytes, zero if there is none. The log sets it.
	Content tlog.Hash

	// Altered says that the stored form differs from what was given: a value
	// or a list was cut to its limit, or bytes that are not UTF-8 were replaced
	// by U+FFFD. The log sets it.
	Altered bool
}

// Range is a run of entries, First and Last among them.
type Range struct{ First, Last int64 }

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

// HasContent reports whether something is kept apart from the leaf of e.
func (e *Entry) HasContent() bool { return e.Content != (tlog.Hash{}) }

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
	case len(e.Removed) > MaxRemoved:
		return fmt.Errorf("audit: a %q entry names more than %d runs of entries", e.Kind, MaxRemoved)
	}
	return nil
}
