package reading

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/seal"
)

// Criteria say which entries are sought: those that meet all of them. What is empty is
// no criterion, so that the zero Criteria seek every entry (MSCA-AUD-05a). Letters
// count the same in either case.
type Criteria struct {
	NHSNumber    string     `json:"nhs_number,omitempty"`   // ten digits, with or without spaces
	User         string     `json:"user,omitempty"`         // user name, audit identity, user id of the author, or operator
	Authority    string     `json:"authority,omitempty"`    // who is responsible for a question, or ordered an act
	Client       string     `json:"client,omitempty"`       // name in the registry
	Organisation string     `json:"organisation,omitempty"` // ODS code
	Message      string     `json:"message,omitempty"`      // message, tracking, query or Spine message id of the transaction
	Correlation  string     `json:"correlation,omitempty"`  // of the transaction
	Outcome      string     `json:"outcome,omitempty"`      // such as "found"
	Kind         audit.Kind `json:"kind,omitempty"`
	Since        time.Time  `json:"since,omitzero"` // not before this time
	Until        time.Time  `json:"until,omitzero"` // before this time
	From         int64      `json:"from,omitzero"`  // from this sequence number on
	To           int64      `json:"to,omitzero"`    // before this sequence number
}

// Check returns why criteria cannot be searched for, or nil. The error never quotes what
// is personal.
func (c Criteria) Check() error {
	_, err := c.normal()
	return err
}

// normal checks criteria and gives them the form in which they are compared and
// recorded. Errors never quote what is personal.
func (c Criteria) normal() (Criteria, error) {
	if c.NHSNumber != "" {
		number, err := cpis.ParseNHSNumber(strings.ReplaceAll(c.NHSNumber, " ", ""))
		if err != nil {
			return c, errors.New("the NHS number must have ten digits; spaces between them do not matter")
		}
		c.NHSNumber = number.Digits()
	}
	c.Message, c.Correlation = bareID(c.Message), bareID(c.Correlation)
	for _, text := range []struct{ name, value string }{
		{"user", c.User}, {"authority", c.Authority}, {"client", c.Client}, {"organisation", c.Organisation},
		{"message id", c.Message}, {"correlation", c.Correlation}, {"outcome", c.Outcome},
	} {
		if len(text.value) > audit.MaxText || !utf8.ValidString(text.value) {
			return c, fmt.Errorf("the %s must be text of at most %d bytes in UTF-8, as the log keeps it", text.name, audit.MaxText)
		}
	}
	switch {
	case c.Kind != "" && !slices.Contains(audit.Kinds(), c.Kind): // a misspelt one must not find nothing
		return c, fmt.Errorf("%.40q is not a kind of entry; the kinds are %s", c.Kind, kindList())
	case c.From < 0 || c.To < 0:
		return c, errors.New("sequence numbers count from 0")
	case c.To > 0 && c.From >= c.To:
		return c, errors.New("the first sequence number must be less than the one to end before")
	case outOfRange(c.Since) || outOfRange(c.Until):
		return c, errors.New("times must be of the years 1970 to 9999")
	case !c.Since.IsZero() && !c.Until.IsZero() && !c.Since.Before(c.Until):
		return c, errors.New("the time to begin with must be before the time to end with")
	}
	c.Since, c.Until = utc(c.Since), utc(c.Until)
	return c, nil
}

func kindList() string {
	var names []string
	for _, kind := range audit.Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

func outOfRange(t time.Time) bool {
	return !t.IsZero() && (t.UTC().Year() < 1970 || t.UTC().Year() > 9999)
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// bareID is an id without the prefix that one wire or another puts before a UUID.
func bareID(id string) string {
	for _, prefix := range []string{"urn:uuid:", "uuid:"} {
		if len(id) > len(prefix) && strings.EqualFold(id[:len(prefix)], prefix) {
			return id[len(prefix):]
		}
	}
	return id
}

// terms are what an entry that meets the criteria is found by, the most telling first.
// correlations are those of the transactions to which the message belongs.
func (c Criteria) terms(keys *seal.Keys, correlations []string) [][]seal.Term {
	var all [][]seal.Term
	add := func(f audit.Field, value string) {
		if value != "" {
			all = append(all, audit.TermsOf(keys, f, value))
		}
	}
	add(audit.FieldNHSNumber, c.NHSNumber)
	if c.Correlation != "" {
		all = append(all, idTerms(audit.FieldCorrelation, c.Correlation))
	}
	if c.Message != "" {
		message := idTerms(audit.FieldMessage, c.Message)
		for _, correlation := range correlations {
			message = append(message, idTerms(audit.FieldCorrelation, correlation)...)
		}
		all = append(all, message)
	}
	add(audit.FieldAuthority, c.Authority)
	add(audit.FieldUser, c.User)
	if c.Kind != audit.Intent && c.Kind != audit.Outcome { // half the log has no term for it
		add(audit.FieldKind, string(c.Kind))
	}
	add(audit.FieldOutcome, c.Outcome)
	add(audit.FieldClient, c.Client)
	add(audit.FieldOrganisation, c.Organisation)
	return all
}

// idTerms are the terms of an id as either wire may have spelt it.
func idTerms(f audit.Field, id string) []seal.Term {
	return []seal.Term{
		seal.PublicTerm(string(f), id), seal.PublicTerm(string(f), "uuid:"+id), seal.PublicTerm(string(f), "urn:uuid:"+id),
	}
}

// meets reports whether an entry that was found meets the criteria, exactly. What is
// personal cannot be looked at in an entry whose content is not at hand: such an entry
// is among those looked at only because it has the terms, and is not left out.
func (s *search) meets(r audit.Record) bool {
	c, e := &s.criteria, &r.Entry
	return c.hasTime(e.Time) &&
		(c.Kind == "" || e.Kind == c.Kind) &&
		is(c.Client, e.Client) && is(c.Organisation, e.Organisation) && is(c.Outcome, e.Outcome) &&
		is(c.Correlation, bareID(e.Correlation)) &&
		(c.Message == "" || s.transactions[transaction(e.Correlation)] || names(e, c.Message)) &&
		(r.State != audit.Whole || is(c.NHSNumber, e.NHSNumber) && hasUser(e, c.User) && hasAuthority(e, c.Authority))
}

func (c Criteria) hasTime(t time.Time) bool {
	return (c.Since.IsZero() || !t.Before(c.Since)) && (c.Until.IsZero() || t.Before(c.Until))
}

func is(sought, value string) bool { return sought == "" || strings.EqualFold(sought, value) }

// transaction is a correlation as a key.
func transaction(correlation string) string { return strings.ToUpper(bareID(correlation)) }

// names reports whether an entry has an id by which its transaction is found. The Spine
// message ids of an intent are only those that could be used.
func names(e *audit.Entry, id string) bool {
	if is(id, bareID(e.MessageID)) || is(id, bareID(e.TrackingID)) || is(id, bareID(e.QueryID)) {
		return true
	}
	return e.Kind != audit.Intent && slices.ContainsFunc(e.SpineMessageIDs, func(used string) bool { return is(id, bareID(used)) })
}

func hasUser(e *audit.Entry, user string) bool {
	return is(user, e.Username) || is(user, e.Operator) || e.Author != nil && is(user, e.Author.UserID) ||
		slices.ContainsFunc(e.AuditIdentities, func(i audit.Identity) bool { return is(user, i.URI) })
}

func hasAuthority(e *audit.Entry, authority string) bool {
	return is(authority, e.Authority) ||
		e.Author != nil && slices.ContainsFunc(e.Author.Authorities, func(a audit.Authority) bool { return is(authority, a.Name) })
}
