package clients

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/clients"
	"github.com/wardsmsp/ward/internal/hl7"
	"github.com/wardsmsp/ward/internal/itk"
)

// reply is what goes back to a client, and how.
type reply struct {
	status  int
	header  http.Header
	content []byte
	manner  manner
}

// manner is how a reply goes back.
type manner uint8

const (
	whole  manner = iota
	slowly        // whole, after a while
	cutOff        // the first half, then the connection is closed
	closed        // nothing: the connection is closed
	never         // nothing: the client is left waiting
)

// scene is a message that waits for its answer.
type scene struct {
	number       cpis.NHSNumber
	messageID    string // as received
	organisation string // ODS code of the client's organisation
	provider     string // ODS code
	notification bool   // the client is told who was notified
	now          time.Time
	today        time.Time // the same in the United Kingdom
	newID        func() string
}

func (r *Run) scene(client *clients.Client, read itk.Request) scene {
	now := r.config.Now()
	return scene{
		number: read.Query.Number, messageID: read.MessageID, organisation: client.Organisations[0], provider: r.config.Provider,
		notification: client.TellNotified, now: now, today: now.In(r.london), newID: r.config.NewID,
	}
}

// faults answers with a SOAP fault.
func (s scene) faults(f *itk.Fault) (reply, error) {
	content, err := itk.WriteFault(f, s.newID(), s.newID())
	return reply{status: http.StatusInternalServerError, content: content}, err
}

// tells answers with what tells an outcome.
func (s scene) tells(a cpis.Answer) (reply, error) {
	return s.writes(s.response(a))
}

func (s scene) response(a cpis.Answer) itk.Response {
	r := itk.Response{
		MessageID: s.newID(), TrackingID: s.newID(), PayloadID: s.newID(), RelatesTo: s.messageID,
		Client: s.organisation, Provider: s.provider,
		Payload: itk.PayloadOf(a, cpis.Codes{}, s.number, s.now, s.newID()),
	}
	if s.notification {
		r.Remarks = itk.RemarksOf(a, cpis.Codes{})
	}
	return r
}

func (s scene) writes(r itk.Response) (reply, error) {
	content, err := itk.WriteResponse(r)
	return reply{status: http.StatusOK, content: content}, err
}

// codes answers with a response code that Ward itself never sends.
func (s scene) codes(code cpis.Code, display string) (reply, error) {
	r := s.response(cpis.Failed(cpis.OutcomeUnknown, ""))
	r.Payload.Code, r.Payload.Display = code, display
	return s.writes(r)
}

// finds is the answer that CP-IS holds these records, after some earlier accesses.
func (s scene) finds(accesses int, records ...cpis.Record) cpis.Answer {
	f := cpis.Findings{ID: s.newID(), Time: cpis.Moment{Written: hl7.FormatTime(s.now)}, Records: records}
	for i := range accesses {
		f.Accesses = append(f.Accesses, s.access(i, s.now.AddDate(0, 0, i-accesses+1)))
	}
	held := len(f.Records)
	return cpis.DefaultRules().Success(cpis.Query{Number: s.number}, cpis.Statement{Findings: f, TotalRecords: &held, TotalAccesses: &accesses})
}

// access is one entry of a history: persons and systems take turns.
func (s scene) access(i int, at time.Time) cpis.Access {
	organisation := cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: fmt.Sprintf("RTT%02d", i%7)}, Name: fmt.Sprintf("Test Hospital %d", i%7+1)}
	role := cpis.Coded{Code: "R0260", System: cpis.OIDJobRole, Display: "Test Role"}
	name := called("Tester", fmt.Sprintf("Number%d", i+1))
	var author cpis.Author = cpis.Person{
		Role: role, IDs: []cpis.Identifier{{Root: cpis.OIDUserID, Extension: fmt.Sprintf("999%09d", i)}}, Name: name, Represented: organisation,
	}
	if i%2 == 1 {
		author = cpis.System{
			ASID: fmt.Sprintf("999%09d", i), Authorities: []cpis.IndirectAuthority{{Role: role, Name: name}}, Maintaining: organisation,
		}
	}
	return cpis.Access{ID: s.newID(), Time: cpis.Moment{Written: hl7.FormatTime(at)}, Author: author, Number: s.number}
}

func called(given, family string) cpis.PersonName {
	return cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: given}, {Kind: "family", Text: family}}}
}

// day is a civil date in the United Kingdom, so many days from today.
func (s scene) day(days int) cpis.Date { return cpis.DateOf(s.today.AddDate(0, 0, days)) }

// none is for a plan without an end date.
const none = 1 << 20

func (s scene) plan(kind cpis.PlanType, start, end int) cpis.Plan {
	p := cpis.Plan{Type: kind, Start: s.day(start)}
	if end != none {
		p.End = s.day(end)
	}
	return p
}

// child is a record about the child asked about, mother one about an expectant mother.
func (s scene) child(name cpis.PersonName, la cpis.LocalAuthority, plans ...cpis.Plan) cpis.Record {
	return cpis.Record{LocalAuthority: la, Plans: plans, Subjects: []cpis.Subject{{
		IDs: s.ids(), Birth: cpis.Moment{Written: s.today.AddDate(-7, -2, -9).Format("20060102")}, Name: name,
	}}}
}

func (s scene) mother(name cpis.PersonName, la cpis.LocalAuthority, plans ...cpis.Plan) cpis.Record {
	return cpis.Record{LocalAuthority: la, Plans: plans, Subjects: []cpis.Subject{{
		Mother: true, IDs: s.ids(), Birth: cpis.Moment{Written: s.today.AddDate(-26, -5, -3).Format("20060102")}, Name: name,
	}}}
}

func (s scene) ids() []cpis.Identifier {
	return []cpis.Identifier{{Root: cpis.OIDNHSNumber, Extension: s.number.Digits()}}
}

// council is a local authority that does not exist, with telephone numbers of the
// ranges that Ofcom keeps for drama. An empty one is not supplied.
func council(code, name, officeHours, emergencyDuty string) cpis.LocalAuthority {
	la := cpis.LocalAuthority{Organisation: cpis.Organisation{ID: cpis.Identifier{Root: cpis.OIDOrganisation, Extension: code}, Name: name}}
	for _, t := range []cpis.Telecom{{Use: "WP", Value: officeHours}, {Use: "EC", Value: emergencyDuty}} {
		if t.Value != "" {
			t.Value = "tel:" + t.Value
			la.Telecoms = append(la.Telecoms, t)
		}
	}
	return la
}

func eastmere() cpis.LocalAuthority {
	return council("E09T1", "Eastmere Test Council", "02079460111", "02079460112")
}

func southwich() cpis.LocalAuthority {
	return council("E10T2", "Southwich Test County Council", "01632960211", "01632960212")
}
