package audit

import (
	"encoding/json"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// A leaf is the stored form of an entry: one JSON object without white space,
// its fields in the order of visit, empty fields left out. There is exactly one
// leaf for an entry and a sequence number, and the reader accepts no other
// spelling, so nothing can hide in a leaf that another JSON reader would see
// differently.
//
// From version 3 on what is personal is not in the leaf but in the content, which
// is written like a leaf, sealed, and kept apart. The leaf has its hash.

// What opens a leaf of each version of the form; the sequence number follows.
// Versions 1 and 2 are read only.
var prefixes = [...]string{`{"v":1,"seq":`, `{"v":2,"seq":`, `{"v":3,"seq":`}

const newestVersion = len(prefixes)

const leafTime = "2006-01-02T15:04:05.000Z"

// fields walks the fields of a leaf in their order, writing or reading them.
type fields interface {
	text(key string, v *string)
	instant(key string, v *time.Time)
	count(key string, v *int)
	size(key string, v *int64)
	place(key string, v *int64) // stands even if 0
	micros(key string, v *time.Duration)
	flag(key string, v *bool)
	hash(key string, v *tlog.Hash)
	object(key string, v *json.RawMessage)

	// begin enters an object or a list, if it is there; an empty key means an
	// item of a list. another goes to its next item; there are n so far, and at
	// most most.
	begin(key string, present bool, bracket byte) bool
	another(i, n, most int) bool
	end(bracket byte)
}

// visit is the definition of a leaf: the fields and their order.
func (e *Entry) visit(f fields, version int) {
	f.text("kind", (*string)(&e.Kind))
	f.instant("time", &e.Time)
	f.text("correlation", &e.Correlation)
	f.text("client", &e.Client)
	f.text("organisation", &e.Organisation)
	f.text("certificate", &e.Certificate)
	if version == 2 {
		f.text("subject", &e.Subject)
	}
	if version > 1 {
		f.text("serial", &e.Serial)
		f.text("issuer", &e.Issuer)
	}
	f.text("remote", &e.Remote)
	if version < 3 {
		e.visitAsker(f)
	}
	f.text("message_id", &e.MessageID)
	f.text("tracking_id", &e.TrackingID)
	f.text("query_id", &e.QueryID)
	list(f, "spine_message_ids", &e.SpineMessageIDs, MaxList, func(id *string) { f.text("", id) })
	f.text("outcome", &e.Outcome)
	f.text("code", &e.Code)
	f.text("notified", &e.Notified)
	f.text("reason", &e.Reason)
	f.count("records", &e.Records)
	f.count("accesses", &e.Accesses)
	f.micros("elapsed_us", &e.Elapsed)
	f.text("software", &e.Software)
	if version > 2 {
		f.text("instance", &e.Instance)
		f.count("entries", &e.Entries)
		f.text("class", (*string)(&e.Class))
		f.text("order", &e.Order)
		list(f, "removed", &e.Removed, MaxRemoved, func(r *Range) {
			if f.begin("", true, '{') {
				f.place("first", &r.First)
				f.place("last", &r.Last)
				f.end('}')
			}
		})
		f.text("hold", &e.Hold)
		f.size("covered", &e.Covered)
		f.hash("content", &e.Content)
	}
	f.flag("altered", &e.Altered)
}

// visitContent is the definition of a content.
func (e *Entry) visitContent(f fields) {
	e.visitAsker(f)
	f.text("subject", &e.Subject)
	f.text("operator", &e.Operator)
	f.text("purpose", &e.Purpose)
	f.text("authority", &e.Authority)
	f.object("detail", &e.Detail)
}

// visitAsker is who asked about whom.
func (e *Entry) visitAsker(f fields) {
	f.text("username", &e.Username)
	list(f, "audit_identities", &e.AuditIdentities, MaxList, func(i *Identity) {
		if f.begin("", true, '{') {
			f.text("type", &i.Type)
			f.text("uri", &i.URI)
			f.end('}')
		}
	})
	if f.begin("author", e.Author != nil, '{') {
		if e.Author == nil {
			e.Author = new(Author)
		}
		e.Author.visit(f)
		f.end('}')
	}
	f.text("nhs_number", &e.NHSNumber)
}

func (a *Author) visit(f fields) {
	f.text("form", &a.Form)
	f.text("user_id", &a.UserID)
	f.text("role_profile", &a.RoleProfile)
	f.text("role_code", &a.RoleCode)
	f.text("role_name", &a.RoleName)
	f.text("name", &a.Name)
	f.text("organisation", &a.Organisation)
	f.text("organisation_name", &a.OrganisationName)
	f.text("asid", &a.ASID)
	list(f, "authorities", &a.Authorities, MaxList, func(p *Authority) {
		if f.begin("", true, '{') {
			f.text("role_code", &p.RoleCode)
			f.text("role_name", &p.RoleName)
			f.text("name", &p.Name)
			f.end('}')
		}
	})
}

func list[T any](f fields, key string, items *[]T, most int, item func(*T)) {
	if !f.begin(key, len(*items) > 0, '[') {
		return
	}
	for i := 0; f.another(i, len(*items), most); i++ {
		if i == len(*items) {
			*items = append(*items, *new(T))
		}
		item(&(*items)[i])
	}
	f.end(']')
}
