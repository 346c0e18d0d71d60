package itk

import (
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/soap"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Response is an answer on its way to a client. All ids are new upper-case UUIDs,
// different from each other (WRD-MSG-13).
type Response struct {
	MessageID  string
	TrackingID string
	PayloadID  string // without the prefix that makes it an XML id
	RelatesTo  string // the request's MessageID exactly as received
	Client     string // ODS code of the client's organisation
	Provider   string // ODS code of the provider
	Remarks    Remarks
	Payload    hl7.Response
}

// WriteResponse renders an answer.
func WriteResponse(r Response) ([]byte, error) {
	w := xmlstrict.NewWriter(4096 + 1152*len(r.Payload.Findings.Accesses) + 2048*len(r.Payload.Findings.Records))
	soap.StartEnvelope(w)
	w.Leaf("wsa:MessageID", r.MessageID)
	w.Leaf("wsa:Action", ResponseService)
	if r.RelatesTo != "" {
		w.Leaf("wsa:RelatesTo", r.RelatesTo)
	}
	soap.StartBody(w)
	e := envelope{
		service:     ResponseService,
		trackingID:  r.TrackingID,
		to:          AddressPrefix + "ods:" + r.Client,
		from:        AddressPrefix + "ods:" + r.Provider,
		identities:  []cpis.AuditIdentity{{Type: IdentityType, URI: IdentityPrefix + "ods:" + r.Provider}},
		payloadID:   r.PayloadID,
		profile:     ResponseProfile,
		interaction: ResponseInteraction,
	}
	e.own = r.Remarks.specs()
	e.start(w)
	hl7.WriteResponse(w, r.Payload)
	e.end(w)
	soap.EndEnvelope(w)
	return w.Bytes()
}

// envelope is a DistributionEnvelope of one payload, in either direction.
type envelope struct {
	service, trackingID  string
	to, from             string // addresses
	identities           []cpis.AuditIdentity
	payloadID            string
	profile, interaction string
	own                  []spec // handling entries of our own, after the interaction
}

func (e envelope) start(w *xmlstrict.Writer) {
	id := "uuid_" + e.payloadID
	w.Start("itk:DistributionEnvelope", "xmlns:itk", Namespace)
	w.Start("itk:header", "service", e.service, "trackingid", e.trackingID)
	w.Start("itk:addresslist")
	w.Empty("itk:address", "type", AddressType, "uri", e.to)
	w.End()
	w.Start("itk:auditIdentity")
	for _, identity := range e.identities {
		w.Start("itk:id")
		if identity.Type != "" {
			w.Attr("type", identity.Type)
		}
		w.Attr("uri", identity.URI)
		w.End()
	}
	w.End()
	w.Start("itk:manifest", "count", "1")
	w.Empty("itk:manifestitem", "id", id, "mimetype", "text/xml", "profileid", e.profile)
	w.End()
	w.Empty("itk:senderAddress", "type", AddressType, "uri", e.from)
	w.Start("itk:handlingSpecification")
	w.Empty("itk:spec", "key", InteractionKey, "value", e.interaction)
	for _, own := range e.own {
		w.Empty("itk:spec", "key", own.key, "value", own.value)
	}
	w.End()
	w.End()
	w.Start("itk:payloads", "count", "1")
	w.Start("itk:payload", "id", id)
}

func (e envelope) end(w *xmlstrict.Writer) {
	w.End()
	w.End()
	w.End()
}

// PayloadOf makes the payload that tells an answer. The findings keep the Spine's
// own time and id; every other answer gets those given here (WRD-MSG-08).
func PayloadOf(answer cpis.Answer, codes cpis.Codes, asked cpis.NHSNumber, at time.Time, id string) hl7.Response {
	code := codes.Of(answer.Outcome())
	findings, ok := answer.Findings()
	if !ok {
		findings = cpis.Findings{ID: id, Time: cpis.Moment{Written: hl7.FormatTime(at)}}
	}
	return hl7.Response{Code: code, Display: code.Display(), Findings: findings, Asked: asked}
}
