package itk

import (
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Question is a request on its way to a provider. All ids are new upper-case
// UUIDs, different from each other and from that of the query.
type Question struct {
	MessageID       string
	TimestampID     string
	TrackingID      string
	PayloadID       string
	To              string // URL of the provider
	Created         time.Time
	Expires         time.Time
	Username        string
	AuditIdentities []cpis.AuditIdentity
	Organisation    string // ODS code of the client's organisation
	Provider        string // ODS code of the provider
	Query           cpis.Query
	BirthDate       string // yyyy-MM-dd, in a handling entry of our own; none if empty
}

// WriteRequest renders a request.
func WriteRequest(q Question) ([]byte, error) {
	w := xmlstrict.NewWriter(6 << 10)
	soap.StartEnvelope(w)
	w.Leaf("wsa:MessageID", q.MessageID)
	w.Leaf("wsa:Action", RequestService)
	w.Leaf("wsa:To", q.To)
	w.Start("wsa:ReplyTo")
	w.Leaf("wsa:Address", soap.Anonymous)
	w.End()
	w.Start("wsse:Security", "xmlns:wsse", soap.Security, "xmlns:wsu", soap.Utility)
	w.Start("wsu:Timestamp", "wsu:Id", "uuid_"+q.TimestampID)
	w.Leaf("wsu:Created", soap.FormatTime(q.Created))
	w.Leaf("wsu:Expires", soap.FormatTime(q.Expires))
	w.End()
	w.Start("wsse:UsernameToken")
	w.Leaf("wsse:Username", q.Username)
	w.End()
	w.End()
	soap.StartBody(w)
	e := envelope{
		service:     RequestService,
		trackingID:  q.TrackingID,
		to:          AddressPrefix + "ods:" + q.Provider,
		from:        AddressPrefix + "ods:" + q.Organisation,
		identities:  q.AuditIdentities,
		payloadID:   q.PayloadID,
		profile:     RequestProfile,
		interaction: RequestInteraction,
	}
	if q.BirthDate != "" {
		e.own = []spec{{BirthDateKey, q.BirthDate}}
	}
	e.start(w)
	hl7.WriteQuery(w, q.Query)
	e.end(w)
	soap.EndEnvelope(w)
	return w.Bytes()
}
