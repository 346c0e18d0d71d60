package eventtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/internal/audit"
)

// Arbitrary draws an entry of any kind with any text in it, also text that no
// well-behaved client would send.
func Arbitrary(t *rapid.T, kinds []audit.Kind) audit.Record {
	text := rapid.OneOf(
		rapid.Just(""),
		rapid.String(),
		rapid.SampledFrom([]string{" ", "\n", "a\r\nb", "\x00", "\x1b[0m", "]]>", "<&\"'>", "\xff\xfe", "\u2028", "\uFFFE", "\uFEFF", "\u0085"}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
	)
	draw := func(name string) string { return text.Draw(t, name) }
	e := audit.Entry{
		Kind:        rapid.SampledFrom(kinds).Draw(t, "kind"),
		Time:        time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, "time")),
		Correlation: draw("correlation"), Client: draw("client"), Organisation: draw("organisation"), Certificate: draw("certificate"),
		Subject: draw("subject"), Serial: draw("serial"), Issuer: draw("issuer"), Remote: draw("remote"), Username: draw("username"),
		NHSNumber: draw("nhs number"), MessageID: draw("message id"), TrackingID: draw("tracking id"), QueryID: draw("query id"),
		Outcome: draw("outcome"), Code: draw("code"), Notified: draw("notified"), Reason: draw("reason"), Software: draw("software"),
		Instance: draw("instance"), Operator: draw("operator"), Purpose: draw("purpose"), Authority: draw("authority"), Order: draw("order"), Hold: draw("hold"),
		Detail:  []byte(draw("detail")),
		Altered: rapid.Bool().Draw(t, "altered"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "items") {
		e.AuditIdentities = append(e.AuditIdentities, audit.Identity{Type: draw("type"), URI: draw("uri")})
		e.SpineMessageIDs = append(e.SpineMessageIDs, draw("spine message id"))
	}
	if rapid.Bool().Draw(t, "author") {
		e.Author = &audit.Author{
			Form: rapid.SampledFrom([]string{"person", "system", ""}).Draw(t, "form"), UserID: draw("user"), RoleProfile: draw("profile"),
			RoleCode: draw("role"), RoleName: draw("role name"), Name: draw("name"), Organisation: draw("author's organisation"),
			OrganisationName: draw("organisation's name"), ASID: draw("asid"),
			Authorities: []audit.Authority{{RoleCode: draw("authority's role"), RoleName: draw("authority's role name"), Name: draw("authority's name")}},
		}
	}
	r := Record(rapid.Int64Range(0, 1<<62).Draw(t, "seq"), e)
	r.State = rapid.SampledFrom([]audit.State{audit.Whole, audit.Sealed, audit.Locked, audit.Removed}).Draw(t, "state")
	return r
}
