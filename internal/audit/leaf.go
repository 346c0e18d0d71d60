package audit

import "time"

// A leaf is the stored form of an entry: one JSON object without white space,
// its fields in the order of visit, empty fields left out. There is exactly one
// leaf for an entry and a sequence number, and the reader accepts no other
// spelling, so nothing can hide in a leaf that another JSON reader would see
// differently.

// What opens a leaf of each version of the form; the sequence number follows.
const (
	prefix1 = `{"v":1,"seq":`
	prefix2 = `{"v":2,"seq":`
)

// prefix opens the leaf of e, in the lowest version that has all of e's fields: so
// there is still one leaf for an entry.
func (e *Entry) prefix() string {
	if e.Subject != "" || e.Serial != "" || e.Issuer != "" {
		return prefix2
	}
	return prefix1
}

const leafTime = "2006-01-02T15:04:05.000Z"

// fields walks the fields of a leaf in their order, writing or reading them.
type fields interface {
	text(key string, v *string)
	instant(key string, v *time.Time)
	count(key string, v *int)
	micros(key string, v *time.Duration)
	flag(key string, v *bool)

	// begin enters an object or a list, if it is there; an empty key means an
	// item of a list. another goes to its next item; there are n so far.
	begin(key string, present bool, bracket byte) bool
	another(i, n int) bool
	end(bracket byte)
}

// visit is the definition of the format: the fields and their order.
func (e *Entry) visit(f fields) {
	f.text("kind", (*string)(&e.Kind))
	f.instant("time", &e.Time)
	f.text("correlation", &e.Correlation)
	f.text("client", &e.Client)
	f.text("organisation", &e.Organisation)
	f.text("certificate", &e.Certificate)
	f.text("subject", &e.Subject)
	f.text("serial", &e.Serial)
	f.text("issuer", &e.Issuer)
	f.text("remote", &e.Remote)
	f.text("username", &e.Username)
	list(f, "audit_identities", &e.AuditIdentities, func(i *Identity) {
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
	f.text("message_id", &e.MessageID)
	f.text("tracking_id", &e.TrackingID)
	f.text("query_id", &e.QueryID)
	list(f, "spine_message_ids", &e.SpineMessageIDs, func(id *string) { f.text("", id) })
	f.text("outcome", &e.Outcome)
	f.text("code", &e.Code)
	f.text("notified", &e.Notified)
	f.text("reason", &e.Reason)
	f.count("records", &e.Records)
	f.count("accesses", &e.Accesses)
	f.micros("elapsed_us", &e.Elapsed)
	f.text("software", &e.Software)
	f.flag("altered", &e.Altered)
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
	list(f, "authorities", &a.Authorities, func(p *Authority) {
		if f.begin("", true, '{') {
			f.text("role_code", &p.RoleCode)
			f.text("role_name", &p.RoleName)
			f.text("name", &p.Name)
			f.end('}')
		}
	})
}

func list[T any](f fields, key string, items *[]T, item func(*T)) {
	if !f.begin(key, len(*items) > 0, '[') {
		return
	}
	for i := 0; f.another(i, len(*items)); i++ {
		if i == len(*items) {
			*items = append(*items, *new(T))
		}
		item(&(*items)[i])
	}
	f.end(']')
}
