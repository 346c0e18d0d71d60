package sds

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// record is a message handling system as either protocol gives it: texts, "" where there
// is none.
type record struct {
	address, cpaID, syncReply, ackRequested, duplicateElimination, actor, retries, retryInterval, persistDuration string
}

// Limits of what a record may hold.
const (
	maxValue   = 1024 // bytes
	maxRetries = 100
)

// contract reads a record. Words that are not known are refused: they decide how the
// Spine is asked, and must not be guessed.
func (r record) contract(partyKey string) (ebxml.Contract, error) {
	var read reader
	c := ebxml.Contract{
		CPAID:                r.cpaID,
		ToParty:              partyKey,
		SyncReply:            read.word("nhsMHSSyncReplyMode", r.syncReply, "MSHSignalsOnly", "signalsOnly", "responseOnly", "signalsAndResponse", "none"),
		AckRequested:         read.word("nhsMHSAckRequested", r.ackRequested, "always", "never", "perMessage") == "always",
		DuplicateElimination: read.word("nhsMHSDuplicateElimination", r.duplicateElimination, "always", "never", "perMessage") == "always",
		Actor:                r.actor,
		Retries:              read.count("nhsMHSRetries", r.retries),
		RetryInterval:        read.duration("nhsMHSRetryInterval", r.retryInterval),
		PersistDuration:      read.duration("nhsMHSPersistDuration", r.persistDuration),
	}
	if read.wrong != "" {
		return ebxml.Contract{}, failure(Unusable, "the record of the message handling system has a "+read.wrong+" that is not understood; use a contract of the configuration")
	}
	return c, nil
}

// isAsync tells the pattern of a contract: the exchange is synchronous if duplicates are
// not always eliminated and there is no mode of synchronous reply at the ebXML level.
// Records of synchronous services give "none" or leave the mode out.
func isAsync(c ebxml.Contract) bool {
	return c.DuplicateElimination || c.SyncReply != "none" && c.SyncReply != ""
}

// reader reads values, and notes the name of one that is not understood.
type reader struct{ wrong string }

// word finds a value among those that are known, whatever its case, in their own
// spelling.
func (r *reader) word(name, value string, known ...string) string {
	i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, value) })
	if i >= 0 {
		return known[i]
	}
	r.note(name, value == "")
	return ""
}

func (r *reader) count(name, text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	r.note(name, err == nil && n <= maxRetries)
	return int(n)
}

func (r *reader) duration(name, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := ebxml.ParseDuration(text)
	r.note(name, err == nil)
	return d
}

func (r *reader) note(name string, ok bool) {
	if !ok {
		r.wrong = name
	}
}

// endpoint reads the address of a message handling system, for which the operator may
// have named another.
func (d *Directory) endpoint(address string) (*url.URL, error) {
	replacement := d.options.Endpoints[address]
	if replacement != nil {
		return replacement, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, failure(Unusable, "the endpoint in the directory is not an https URL; name the URL to dial in sds.endpoints")
	}
	if d.options.Accept != nil {
		err = d.options.Accept(u)
	}
	if err != nil {
		return nil, &Error{Result: Unusable, Reason: "the endpoint in the directory must not be used here", Cause: err}
	}
	return u, nil
}

// isPlain reports whether a value has a length and characters that can be told on.
func isPlain(value string) bool {
	return value != "" && len(value) <= maxValue && !strings.ContainsFunc(value, func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsPrint(r)
	})
}

func isASID(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }
