package clients

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/itk"
)

// situation is what one NHS number stands for.
type situation struct {
	id      string
	number  string
	title   string                  // what the client gets
	outcome cpis.Outcome            // as the client must understand it
	found   func(scene) cpis.Answer // for cpis.Found alone: what CP-IS holds
	answer  func(scene) (reply, error)
	shows   string   // what the screen must show besides its state
	also    []string // requirements and hazards of this situation
}

// situations is the list. The first nine numbers are those of the official test
// harness, with its codes (WRD-SUP-02); 1234567895 and no other fails Modulus 11. The
// others are of the range 999, which nobody is given.
func situations() []situation {
	return append(append(officialCodes(), holdings()...), troubles()...)
}

func officialCodes() []situation {
	code := func(o cpis.Outcome) func(scene) (reply, error) {
		return func(s scene) (reply, error) { return s.tells(cpis.Failed(o, "")) }
	}
	all := []situation{
		holds("official-smsp-0000", "1234567895", "SMSP-0000, a current plan", "", nil, currentPlan),
		{id: "official-smsp-0001", number: "1111111111", title: "SMSP-0001, the request was not valid", outcome: cpis.InputInvalid, answer: code(cpis.InputInvalid)},
		{id: "official-smsp-0002", number: "2222222222", title: "SMSP-0002, the Spine's answer cannot be trusted", outcome: cpis.ResponseInvalid, answer: code(cpis.ResponseInvalid)},
		{id: "official-smsp-0003", number: "3333333333", title: "SMSP-0003, which no provider should send", outcome: cpis.OutcomeUnknown, also: []string{"WRD-RC-11", "H-05"},
			answer: func(s scene) (reply, error) { return s.codes(cpis.CodeLocalStore, cpis.CodeLocalStore.Display()) }},
		{id: "official-smsp-0004", number: "4444444444", title: "SMSP-0004, the Spine could not be reached", outcome: cpis.NotSent, answer: code(cpis.NotSent)},
		{id: "official-smsp-0005", number: "5555555555", title: "SMSP-0005, the author was not accepted", outcome: cpis.AuthorRejected, answer: code(cpis.AuthorRejected)},
		{id: "official-smsp-9999", number: "6666666666", title: "SMSP-9999, the provider failed after it may have asked", outcome: cpis.InternalAfterSent, answer: code(cpis.InternalAfterSent)},
		{id: "official-cpis-9999", number: "7777777777", title: "CPIS-9999, the Spine gave no usable answer", outcome: cpis.SentNoAnswer, answer: code(cpis.SentNoAnswer)},
		{id: "official-cpis-0001", number: "8888888888", title: "CPIS-0001, no record", outcome: cpis.NoRecord, answer: noRecord, also: []string{"H-01"}},
	}
	for i := range all {
		all[i].also = append(all[i].also, "WRD-SUP-02")
	}
	return all
}

// holds is a situation in which CP-IS holds something.
func holds(id, number, title, shows string, also []string, found func(scene) cpis.Answer) situation {
	return situation{
		id: id, number: number, title: title, outcome: cpis.Found, found: found, shows: shows, also: also,
		answer: func(s scene) (reply, error) { return s.tells(found(s)) },
	}
}

func noRecord(s scene) (reply, error) { return s.tells(noRecordAnswer()) }

// noRecordAnswer is the one answer that CP-IS holds no record.
func noRecordAnswer() cpis.Answer {
	return cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0)
}

func currentPlan(s scene) cpis.Answer {
	return s.finds(1, s.child(called("Alder", "Testpatient"), eastmere(), s.plan(cpis.ChildProtectionPlan, -95, 60)))
}

func holdings() []situation {
	return []situation{
		holds("plan-current", "9990200017", "a current child protection plan", "the start date, the end date, the local authority and both its numbers",
			[]string{"WRD-SAF-12"}, currentPlan),
		holds("plan-ended", "9990200025", "a plan that has ended and no other", "the plan as ended, with its end date",
			[]string{"WRD-SAF-06", "H-08"}, func(s scene) cpis.Answer {
				return s.finds(2, s.child(called("Birch", "Testpatient"), southwich(), s.plan(cpis.ChildProtectionPlan, -400, -40)))
			}),
		holds("plan-unborn", "9990200033", "a plan for the unborn child of the person", "that the plan is of the unborn child and not of the person asked about",
			[]string{"WRD-SAF-11", "H-07"}, func(s scene) cpis.Answer {
				return s.finds(1, s.mother(called("Hazel", "Testpatient"), eastmere(), s.plan(cpis.UnbornChildPlan, -50, 89)))
			}),
		holds("plans-several", "9990200041", "three plans at two local authorities", "all three plans, the one that ended as ended, each with its own local authority and numbers",
			[]string{"WRD-SAF-07", "H-18"}, func(s scene) cpis.Answer {
				name := called("Rowan", "Testpatient")
				return s.finds(3,
					s.child(name, eastmere(), s.plan(cpis.ChildProtectionPlan, -95, none), s.plan(cpis.LookedAfterChild, -30, none)),
					s.child(name, southwich(), s.plan(cpis.LookedAfterChild, -900, -190)))
			}),
		holds("end-date-missing", "9990200068", "a plan without an end date", `"No end date recorded" or words of that meaning, and the plan as current`,
			[]string{"WRD-SAF-06", "H-09"}, func(s scene) cpis.Answer {
				return s.finds(1, s.child(called("Maple", "Testpatient"), eastmere(), s.plan(cpis.LookedAfterChild, -700, none)))
			}),
		holds("phone-missing", "9990200076", "a local authority without an office-hours number", "that the number was not supplied, and the number of the emergency duty team",
			[]string{"WRD-SAF-12", "H-11"}, func(s scene) cpis.Answer {
				return s.finds(1, s.child(called("Linden", "Testpatient"), council("E08T3", "Fenside Test Borough Council", "", "01632960312"), s.plan(cpis.ChildProtectionPlan, -150, none)))
			}),
		holds("plan-type-unknown", "9990200084", "a plan of a type that nobody knows", `"Plan type not recognised" or words of that meaning, with dates and numbers`,
			[]string{"WRD-SAF-07", "H-19"}, unknownType),
		holds("accesses-25", "9990200092", "a plan and 25 accesses", "all 25 accesses after the plan, and that the list holds no more than 25 and leaves out repeats within 24 hours",
			[]string{"WRD-SAF-13", "H-13"}, func(s scene) cpis.Answer {
				return s.finds(cpis.MaxAccesses, s.child(called("Aspen", "Testpatient"), eastmere(), s.plan(cpis.ChildProtectionPlan, -150, none)))
			}),
		holds("names-accented", "9990200106", "names with accents, apostrophes and markup characters", "each name whole and with every character: Żaneta Ngọc O’Séaghdha-Müller of Bjørnsmoor & Llŷn <Test> Council",
			[]string{"WRD-MSG-23", "H-20"}, func(s scene) cpis.Answer {
				la := council("W06T4", "Bjørnsmoor & Llŷn <Test> Council", "01632960411", "+441632960412")
				return s.finds(1, s.child(called("Żaneta Ngọc", "O’Séaghdha-Müller"), la, s.plan(cpis.ChildProtectionPlan, -150, none)))
			}),
		{id: "no-record", number: "9990200114", title: "no record", outcome: cpis.NoRecord, answer: noRecord, also: []string{"WRD-SAF-14", "H-01"}},
		{id: "answer-slow", number: "9990200122", title: "an answer that takes its time", outcome: cpis.Found, found: currentPlan, also: []string{"WRD-PERF-09", "H-50"},
			shows: "while waiting, that nothing is to be assumed and no second check is to be sent", answer: in(slowly)},
		{id: "header-minimal", number: "9990200130", title: "an answer whose headers hold no more than they must", outcome: cpis.Found, found: currentPlan, also: []string{"WRD-MSG-14"}, answer: minimal},
	}
}

// unknownType is a plan as a later release of CP-IS might bring it.
func unknownType(s scene) cpis.Answer {
	plan := s.plan(cpis.UnrecognisedPlan, -20, 100)
	plan.Form = cpis.PlanForm{Template: "COCT_TP146199GB01", Class: "TSTInformation", StartElement: "tSTStartDate", EndElement: "tSTEndDate"}
	return s.finds(1, s.child(called("Cedar", "Testpatient"), southwich(), plan))
}

// minimal leaves out what an answer may leave out, as a national mini service does.
func minimal(s scene) (reply, error) {
	r := s.response(currentPlan(s))
	r.RelatesTo, r.Remarks = "", itk.Remarks{}
	full, err := s.writes(r)
	if err != nil {
		return reply{}, err
	}
	for _, part := range [...][2]string{{"<itk:addresslist>", "<itk:manifest "}, {"<itk:senderAddress ", "</itk:header>"}} {
		full.content, err = without(full.content, part[0], part[1])
		if err != nil {
			return reply{}, err
		}
	}
	return full, nil
}

var errOtherForm = errors.New("an answer is not of the form in which it is to be spoilt")

// without cuts from the first text up to the second.
func without(content []byte, from, to string) ([]byte, error) {
	i, j := bytes.Index(content, []byte(from)), bytes.Index(content, []byte(to))
	if i < 0 || j < i {
		return nil, errOtherForm
	}
	return append(content[:i:i], content[j:]...), nil
}

// otherTotal lets an answer declare one record more than it brings.
func otherTotal(s scene) (reply, error) {
	full, err := s.tells(currentPlan(s))
	if err != nil {
		return reply{}, err
	}
	declared := []byte(`<pertinentTotalReturnedChildRecords><value value="1"/>`)
	if !bytes.Contains(full.content, declared) {
		return reply{}, errOtherForm
	}
	full.content = bytes.Replace(full.content, declared, []byte(`<pertinentTotalReturnedChildRecords><value value="2"/>`), 1)
	return full, nil
}

// otherMessage answers a message that nobody sent.
func otherMessage(s scene) (reply, error) {
	r := s.response(currentPlan(s))
	r.RelatesTo = s.newID()
	return s.writes(r)
}

// otherPerson answers about somebody else.
func otherPerson(s scene) (reply, error) {
	other, err := cpis.ParseNHSNumber("9990200386")
	if err != nil {
		return reply{}, err
	}
	about := s
	about.number = other
	return s.tells(currentPlan(about))
}

// fault answers with a SOAP fault of that kind.
func fault(code itk.FaultCode, number int, text string) func(scene) (reply, error) {
	return func(s scene) (reply, error) {
		return s.faults(&itk.Fault{Code: code, ErrorCode: number, Text: text, Diagnostic: "This fault is part of a conformance test."})
	}
}

// bare answers with a status and no body.
func bare(status int) func(scene) (reply, error) {
	return func(scene) (reply, error) { return reply{status: status}, nil }
}

// busy is what `ward serve` sends when it is busy.
func busy() reply {
	return reply{
		status: http.StatusServiceUnavailable, header: http.Header{"Retry-After": {"5"}, "Content-Type": {"text/plain; charset=utf-8"}},
		content: []byte("The service is busy. Nothing was asked of CP-IS. The request may be sent again with a new message id.\n"),
	}
}

// in answers with a current plan in that manner.
func in(m manner) func(scene) (reply, error) {
	return func(s scene) (reply, error) {
		r, err := s.tells(currentPlan(s))
		r.manner = m
		return r, err
	}
}

func troubles() []situation {
	const nothing = "Nothing was asked of CP-IS."
	unknown := []string{"H-04"}
	invalid := fault(itk.Client, itk.InvalidMessage, nothing)
	return []situation{
		{id: "fault-1000", number: "9990200149", title: "a SOAP fault, code 1000", outcome: cpis.Refused, answer: invalid},
		{id: "fault-2100", number: "9990200157", title: "a SOAP fault, code 2100", outcome: cpis.AuditFailedBefore, answer: fault(itk.Server, itk.Retryable, nothing)},
		{id: "fault-2200", number: "9990200165", title: "a SOAP fault, code 2200", outcome: cpis.Refused, answer: fault(itk.Server, itk.NotRetryable, nothing)},
		{id: "fault-3000", number: "9990200173", title: "a SOAP fault, code 3000", outcome: cpis.Refused, answer: fault(itk.Client, itk.AccessDenied, nothing)},
		{id: "fault-must-understand", number: "9990200181", title: "a SOAP fault, MustUnderstand", outcome: cpis.Refused, answer: fault(itk.MustUnderstand, itk.InvalidMessage, nothing)},
		{id: "fault-version-mismatch", number: "9990200203", title: "a SOAP fault, VersionMismatch", outcome: cpis.Refused, answer: fault(itk.VersionMismatch, itk.InvalidMessage, nothing)},
		{id: "fault-http-200", number: "9990200211", title: "a SOAP fault with HTTP 200", outcome: cpis.Refused, answer: func(s scene) (reply, error) {
			r, err := invalid(s)
			r.status = http.StatusOK
			return r, err
		}},
		{id: "busy", number: "9990200238", title: "HTTP 503, busy", outcome: cpis.Overloaded, also: []string{"WRD-RC-16", "H-27"}, answer: func(scene) (reply, error) { return busy(), nil }},
		{id: "http-403", number: "9990200246", title: "HTTP 403, the certificate is not registered", outcome: cpis.Refused, answer: bare(http.StatusForbidden)},
		{id: "http-202", number: "9990200254", title: "HTTP 202, which is no answer", outcome: cpis.ProviderNoAnswer, answer: bare(http.StatusAccepted), also: unknown},
		{id: "body-empty", number: "9990200262", title: "HTTP 200 without a body", outcome: cpis.ProviderNoAnswer, answer: bare(http.StatusOK), also: unknown},
		{id: "connection-closed", number: "9990200270", title: "a connection that is closed after the request was read", outcome: cpis.ProviderNoAnswer, answer: in(closed), also: []string{"H-04", "H-21"}},
		{id: "answer-cut-off", number: "9990200289", title: "an answer that is cut off in the middle", outcome: cpis.ProviderNoAnswer, answer: in(cutOff), also: []string{"H-04", "H-17"}},
		{id: silent, number: "9990200297", title: "no answer until the client gives up", outcome: cpis.ProviderNoAnswer, answer: in(never), also: unknown},
		{id: "code-unknown", number: "9990200300", title: "a response code that nobody knows", outcome: cpis.OutcomeUnknown, also: unknown,
			answer: func(s scene) (reply, error) { return s.codes("SMSP-0042", "A code of a later release") }},
		{id: "totals-wrong", number: "9990200319", title: "an answer that declares more than it brings", outcome: cpis.ResponseInvalid, answer: otherTotal, also: []string{"WRD-SAF-08", "H-17"}},
		{id: "other-message", number: "9990200327", title: "an answer to another message", outcome: cpis.ProviderNoAnswer, answer: otherMessage, also: []string{"H-16"}},
		{id: "other-person", number: "9990200335", title: "an answer about another NHS number", outcome: cpis.ProviderNoAnswer, answer: otherPerson, also: []string{"WRD-SAF-09", "H-02"}},
	}
}
