package spinesim_test

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

const (
	repc = "REPC_IN000007GB01"
	quqi = "QUQI_IN010000UK14"
	mcci = "MCCI_IN010000UK13"
)

// exchanged is a query about the number bound to a behaviour, and the reply.
type exchanged struct {
	query
	reply
}

// whole holds, for each behaviour that replies over HTTP, what its reply shows.
// silent holds the others, which wire_test.go covers.
var whole = map[spinesim.Behaviour]func(t *testing.T, x exchanged){
	"found": func(t *testing.T, x exchanged) { x.good(t) },
	"found-harness-shape": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		holders := x.root.find("pertinentInformation13")
		if len(holders) != 1 || len(holders[0].find("pertinentCP-ISNHSQuery")) != 3 {
			t.Errorf("%d holders of accesses", len(holders))
		}
		child := x.root.find("COCT_TP145101GB01.Child")[0]
		if len(child.find("id")) != 0 {
			t.Error("the child has an id")
		}
		name := child.find("name")[0].Children
		if name[0].XMLName.Local != "family" || name[1].XMLName.Local != "given" {
			t.Error("the family name is not first")
		}
		if got := x.root.find("organisation")[0].find("id")[0].attr("extension"); got != "e06x3" {
			t.Errorf("authority's code %q", got)
		}
		for _, q := range x.root.find("pertinentCP-ISNHSQuery")[:2] {
			if got := q.Children[0].attr("value"); len(got) != 14 {
				t.Errorf("time of an earlier access %q has a zone", got)
			}
		}
	},
	"found-prefixed": func(t *testing.T, x exchanged) {
		x.good(t)
		if !bytes.Contains(x.body, []byte("<SOAP-ENV:Envelope")) || !bytes.Contains(x.body, []byte("<hl7:REPC_IN000007GB01")) || bytes.Contains(x.body, []byte("<REPC")) {
			t.Error("the usual prefixes are used")
		}
	},
	"found-version-code-1": func(t *testing.T, x exchanged) {
		x.good(t)
		x.has(t, "versionCode", "code", "1")
	},
	"found-empty-to": func(t *testing.T, x exchanged) {
		x.good(t)
		if got := x.root.find("To"); len(got) != 1 || got[0].Text != "" {
			t.Errorf("wsa:To: %v", got)
		}
	},
	"found-swapped-asids": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		for i, local := range []string{"communicationFunctionRcv", "communicationFunctionSnd"} {
			for _, e := range x.root.find(local)[:2] {
				if got, want := e.find("id"), []string{"928942012545", "200000000183"}[i]; len(got) > 0 && got[0].attr("extension") != want {
					t.Errorf("%s holds %s", local, got[0].attr("extension"))
				}
			}
		}
	},
	"found-bare": func(t *testing.T, x exchanged) {
		x.good(t)
		if got := x.root.find("Body")[0].Children[0].XMLName.Local; got != repc {
			t.Errorf("the body holds %s", got)
		}
	},
	"found-http-500": func(t *testing.T, x exchanged) { x.is(t, 500, repc) },
	"found-twice":    func(t *testing.T, x exchanged) { x.good(t) },
	"relates-to-missing": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		if len(x.root.find("RelatesTo")) != 0 {
			t.Error("RelatesTo is there")
		}
	},
	"end-date-nil": func(t *testing.T, x exchanged) {
		x.good(t)
		end := x.root.find("cPPEndDate")
		if len(end) != 1 || end[0].attr("nil") != "true" || len(end[0].Children) != 0 {
			t.Errorf("end date %+v", end)
		}
	},
	"end-before-start": func(t *testing.T, x exchanged) {
		x.good(t)
		start, end := x.root.find("cPPStartDate")[0].Children[0].attr("value"), x.root.find("cPPEndDate")[0].Children[0].attr("value")
		if end >= start {
			t.Errorf("%s to %s", start, end)
		}
	},
	"plan-unknown-same-form": func(t *testing.T, x exchanged) {
		x.good(t)
		plan := x.root.find("pertinentInformation15")[0]
		if got := plan.Children[1].XMLName.Local; got != "COCT_TP146199GB01.FCPInformation" || len(plan.find("component")) != 1 || len(plan.find("component1")) != 1 {
			t.Errorf("plan %s", got)
		}
		if got := plan.Children[0].attr("extension"); got != "COCT_TP146199GB01#FCPInformation" {
			t.Errorf("contentId %s", got)
		}
	},
	"delay":     func(t *testing.T, x exchanged) { x.good(t) },
	"not-found": func(t *testing.T, x exchanged) { x.failed(t, "1ER", "NHSNCC002ER") },
	"not-found-bare": func(t *testing.T, x exchanged) {
		x.failed(t, "1ER", "NHSNCC002ER")
		if x.root.find("Body")[0].Children[0].XMLName.Local != quqi || !bytes.Contains(x.body, []byte("<hl7:"+quqi)) {
			t.Error("wrapped, or without the hl7 prefix")
		}
		if len(x.root.find("queryAck")) != 0 {
			t.Error("there is a queryAck")
		}
		if got := x.root.find("communicationFunctionSnd")[0].find("id")[0].attr("extension"); got != "200000000183" {
			t.Errorf("the sender is %s", got)
		}
	},
	"zero-records": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		if x.recordTotal() != "0" || len(x.root.find("record")) != 0 || x.accessTotal() != "1" || len(x.accesses()) != 1 {
			t.Errorf("totals %s and %s", x.recordTotal(), x.accessTotal())
		}
	},

	"not-found-extra-reason": func(t *testing.T, x exchanged) { x.failed(t, "1ER", "NHSNCC002ER", "17ER") },
	"not-found-warning-only": func(t *testing.T, x exchanged) { x.failed(t, "1WG") },
	"quqi-no-reason":         func(t *testing.T, x exchanged) { x.failed(t) },
	"mcci-ae":                func(t *testing.T, x exchanged) { x.acknowledged(t, "AE", "GE002", ""); x.bare(t, true) },
	"mcci-ae-wrapped":        func(t *testing.T, x exchanged) { x.acknowledged(t, "AE", "GE002", ""); x.bare(t, false) },
	"mcci-ar-duplicate":      func(t *testing.T, x exchanged) { x.acknowledged(t, "AR", "", "202") },
	"mcci-ar":                func(t *testing.T, x exchanged) { x.acknowledged(t, "AR", "", "205") },
	"mcci-aa":                func(t *testing.T, x exchanged) { x.acknowledged(t, "AA", "", "") },
	"fault-101":              func(t *testing.T, x exchanged) { x.fault(t, 500, "SOAP:Client", "101") },
	"fault-200":              func(t *testing.T, x exchanged) { x.fault(t, 500, "SOAP:Server", "200") },
	"fault-206":              func(t *testing.T, x exchanged) { x.fault(t, 500, "SOAP:Server", "206") },
	"fault-http-200":         func(t *testing.T, x exchanged) { x.fault(t, 200, "SOAP:Server", "200") },

	"record-total-missing": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		if e := x.root.find("pertinentTotalReturnedChildRecords"); len(e) != 1 || len(e[0].Children) != 0 || len(x.root.find("record")) != 0 {
			t.Errorf("total %+v", e)
		}
	},
	"record-total-not-a-number": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		if x.recordTotal() != "none" || len(x.root.find("record")) != 0 {
			t.Errorf("total %q", x.recordTotal())
		}
	},
	"no-subject": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		if len(x.root.find("subject")) != 0 || x.value("queryResponseCode", "code") != "OK" {
			t.Error("there is a subject, or no OK")
		}
	},
	"response-code-nf":        func(t *testing.T, x exchanged) { x.is(t, 200, repc); x.has(t, "queryResponseCode", "code", "NF") },
	"records-more-than-sent":  func(t *testing.T, x exchanged) { x.counts(t, 0, 1) },
	"records-fewer-than-sent": func(t *testing.T, x exchanged) { x.counts(t, 0, -1) },
	"accesses-more-than-sent": func(t *testing.T, x exchanged) { x.counts(t, 1, 0) },
	"accesses-fewer-than-sent": func(t *testing.T, x exchanged) {
		x.counts(t, -1, 0)
	},
	"other-patient-subject": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		if got := records(x.reply)[0].Subjects[0]; !strings.HasPrefix(got, "Child|9990000034|") {
			t.Errorf("subject %s", got)
		}
	},
	"other-patient-history": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc)
		want := []string{x.number, x.number, "9990000034"}
		var got []string
		for _, e := range x.root.find("person.NHSnumber") {
			got = append(got, e.Children[0].attr("extension"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("numbers of the history (-want +got):\n%s", diff)
		}
	},
	"previous-answer":            func(t *testing.T, x exchanged) { x.is(t, 200, repc); x.strange(t, "RelatesTo") },
	"relates-to-other":           func(t *testing.T, x exchanged) { x.is(t, 200, repc); x.strange(t, "RelatesTo") },
	"not-found-relates-to-other": func(t *testing.T, x exchanged) { x.is(t, 200, quqi); x.strange(t, "RelatesTo") },
	"message-ref-other": func(t *testing.T, x exchanged) {
		x.is(t, 200, quqi)
		if got := x.root.find("messageRef")[0].Children[0].attr("root"); got == x.hl7ID || len(got) != 36 {
			t.Errorf("messageRef %s", got)
		}
		if got := x.text("RelatesTo"); got != "uuid:"+x.hl7ID {
			t.Errorf("RelatesTo %s", got)
		}
	},
	"plan-unknown-other-form": func(t *testing.T, x exchanged) {
		x.good(t)
		if plan := x.root.find("pertinentInformation15")[0]; len(plan.find("component")) != 0 || len(plan.find("planPeriod")) != 1 {
			t.Error("the plan has the usual form")
		}
	},
	"content-id-contradicts": func(t *testing.T, x exchanged) {
		x.good(t)
		plan := x.root.find("pertinentInformation15")[0].Children
		if plan[0].attr("extension") != "COCT_TP146103GB01#LACInformation" || plan[1].XMLName.Local != "COCT_TP146105GB01.CPPInformation" {
			t.Errorf("%s beside %s", plan[0].attr("extension"), plan[1].XMLName.Local)
		}
	},

	"huge-body": func(t *testing.T, x exchanged) {
		x.good(t)
		if len(x.body) < 4<<20 {
			t.Errorf("%d bytes", len(x.body))
		}
	},
	"dtd": func(t *testing.T, x exchanged) {
		x.is(t, 200, repc) // encoding/xml does not mind
		if !bytes.Contains(x.body, []byte("?><!DOCTYPE ")) {
			t.Error("no DTD")
		}
	},
	"malformed-xml": func(t *testing.T, x exchanged) {
		if x.status != 200 || x.xmlErr == nil || !bytes.HasSuffix(x.body, []byte("</SOAP:Envelope>")) {
			t.Errorf("status %d, XML error %v", x.status, x.xmlErr)
		}
	},
	"truncated-xml": func(t *testing.T, x exchanged) {
		if x.status != 200 || x.xmlErr == nil || x.header.Get("Content-Length") != strconv.Itoa(len(x.body)) || len(x.body) < 1000 {
			t.Errorf("status %d, XML error %v, %d bytes", x.status, x.xmlErr, len(x.body))
		}
	},
	"http-401": func(t *testing.T, x exchanged) { x.page(t, 401) },
	"http-403": func(t *testing.T, x exchanged) { x.page(t, 403) },
	"http-404": func(t *testing.T, x exchanged) { x.page(t, 404) },
	"http-502": func(t *testing.T, x exchanged) { x.page(t, 502) },
	"http-503": func(t *testing.T, x exchanged) { x.page(t, 503) },
	"http-504": func(t *testing.T, x exchanged) { x.page(t, 504) },
	"html-200": func(t *testing.T, x exchanged) { x.page(t, 200) },
	"redirect": func(t *testing.T, x exchanged) {
		if x.status != 302 || !strings.Contains(x.header.Get("Location"), "/sync-service?") {
			t.Errorf("status %d to %s", x.status, x.header.Get("Location"))
		}
	},
	"empty-200": func(t *testing.T, x exchanged) {
		if x.status != 200 || len(x.body) != 0 || !strings.HasPrefix(x.header.Get("Content-Type"), "text/xml") {
			t.Errorf("status %d, %d bytes", x.status, len(x.body))
		}
	},
	"json-200": func(t *testing.T, x exchanged) {
		if x.status != 200 || x.header.Get("Content-Type") != "application/json" || x.body[0] != '{' {
			t.Errorf("status %d, %s", x.status, x.body)
		}
	},
	"wrong-media-type": func(t *testing.T, x exchanged) {
		x.good(t)
		if got := x.header.Get("Content-Type"); got != "application/octet-stream" {
			t.Errorf("media type %s", got)
		}
	},
}

var silent = []spinesim.Behaviour{
	"truncated-body", "stall-after-headers", "stall-in-body", "slow-drip",
	"never-answer", "close-without-reply", "reset-after-request",
	"accept-stall", "accept-reset", "tls-handshake-failure", "tls-handshake-stall",
	"reset-before-reading", "close-before-reading", "reset-after-headers",
}

// WRD-SUP-03: each behaviour bound to a number shows what it says, and notifies
// the local authority exactly if it says so.
func TestEachBehaviourShowsWhatItSays(t *testing.T) {
	s := start(t, nil)
	for _, b := range spinesim.Behaviours() {
		base := spinesim.Behaviour(strings.TrimPrefix(string(b.Name), "late-"))
		shows, covered := whole[base]
		if !covered {
			continue
		}
		t.Run(string(b.Name), func(t *testing.T) {
			c := newClient(t)
			ask(t, s, c, query{number: "9990000042"}) // the previous answer
			// net/http prints a second reply, unasked, on a kept connection.
			c.Transport.(*http.Transport).DisableKeepAlives = base == "found-twice"
			x := exchanged{query: query{number: b.NHSNumber, hl7ID: newID(), queryID: newID()}}
			before := s.Counters()
			x.reply = ask(t, s, c, x.query)
			shows(t, x)
			after := s.Counters()
			told := after.Notifications - before.Notifications
			if b.Processed != (told == 1) || b.Processed != (after.Processed-before.Processed == 1) {
				t.Errorf("processed = %v, and %d notifications", b.Processed, told)
			}
			received := s.Received()
			last := received[len(received)-1]
			if last.Behaviour != b.Name || last.QueryID != x.queryID || last.Processed != b.Processed {
				t.Errorf("evidence %+v", last)
			}
		})
	}
}

// Nothing in the catalogue is without a test, a number where one can be bound,
// a code and a sentence.
func TestTheCatalogueIsComplete(t *testing.T) {
	codes := []string{"SMSP-0000", "SMSP-0002", "SMSP-0004", "SMSP-9999", "CPIS-0001", "CPIS-9999"}
	numbers := map[string]spinesim.Behaviour{}
	for _, b := range spinesim.Behaviours() {
		base := spinesim.Behaviour(strings.TrimPrefix(string(b.Name), "late-"))
		_, covered := whole[base]
		if !covered && !slices.Contains(silent, base) && b.Name != spinesim.AsStored {
			t.Errorf("%s has no test", b.Name)
		}
		if (b.Stage == "reply" && b.Name != spinesim.AsStored) != (b.NHSNumber != "") {
			t.Errorf("%s of stage %s has the number %q", b.Name, b.Stage, b.NHSNumber)
		}
		if b.NHSNumber != "" && numbers[b.NHSNumber] != "" {
			t.Errorf("%s and %s have the same number", b.Name, numbers[b.NHSNumber])
		}
		numbers[b.NHSNumber] = b.Name
		if !slices.Contains(codes, b.Code) || b.Summary == "" {
			t.Errorf("%s has the code %q and the summary %q", b.Name, b.Code, b.Summary)
		}
		if base != b.Name && spinesim.Late(base) != b.Name {
			t.Errorf("%s is not the late variant of %s", b.Name, base)
		}
	}
}

// A behaviour that needs a record makes one up for a number that has none.
func TestFoundIsPossibleForAnyNumber(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	const number = "4010232137"
	play(t, s, steps("found"))
	r := ask(t, s, c, query{number: number})
	if r.kind() != repc || !strings.HasPrefix(records(r)[0].Subjects[0][strings.Index(records(r)[0].Subjects[0], "|"):], "|"+number) {
		t.Fatalf("answered by %s", r.kind())
	}
	err := s.Reset()
	if err != nil {
		t.Fatal(err)
	}
	if r := ask(t, s, c, query{number: number}); r.kind() != quqi {
		t.Errorf("after a reset answered by %s", r.kind())
	}
}

// The documented no-record child stays without one, whatever is asked for.
func TestFoundDoesNotContradictTheCast(t *testing.T) {
	s := start(t, nil)
	play(t, s, steps("found-prefixed"))
	if r := ask(t, s, newClient(t), query{number: "9990000034"}); r.kind() != quqi {
		t.Errorf("answered by %s", r.kind())
	}
}

func TestThePreviousAnswerIsSomebodyElses(t *testing.T) {
	s := start(t, nil)
	c := newClient(t)
	before := query{number: "9990000026", hl7ID: newID(), queryID: newID()}
	ask(t, s, c, before)
	play(t, s, steps("previous-answer"))
	r := ask(t, s, c, query{number: "9990000042"})
	if got := records(r)[0].Subjects[0]; !strings.Contains(got, before.number) {
		t.Errorf("subject %s", got)
	}
	if got := r.text("RelatesTo"); got != "uuid:"+before.hl7ID {
		t.Errorf("RelatesTo %s", got)
	}
	ask(t, s, c, query{number: "9990000034"}) // no record
	play(t, s, steps("previous-answer"))
	if r := ask(t, s, c, query{number: "9990000042"}); r.kind() != quqi {
		t.Errorf("after a query without record answered by %s", r.kind())
	}
}

// is checks status and interaction.
func (x exchanged) is(t *testing.T, status int, kind string) {
	t.Helper()
	if x.xmlErr != nil {
		t.Fatal(x.xmlErr)
	}
	if x.status != status || x.kind() != kind {
		t.Fatalf("status %d, %q; want %d, %q: %.300s", x.status, x.kind(), status, kind, x.body)
	}
}

// good checks a success that belongs to the query.
func (x exchanged) good(t *testing.T) {
	t.Helper()
	x.is(t, 200, repc)
	if got := x.text("RelatesTo"); got != "uuid:"+x.hl7ID {
		t.Errorf("RelatesTo %s", got)
	}
	if ids := x.accesses(); len(ids) != 3 || ids[2] != x.queryID || x.accessTotal() != "3" || x.recordTotal() != "1" {
		t.Errorf("accesses %v, totals %s and %s", ids, x.accessTotal(), x.recordTotal())
	}
}

func (x exchanged) has(t *testing.T, local, attr, want string) {
	t.Helper()
	if got := x.value(local, attr); got != want {
		t.Errorf("%s is %q, want %q", local, got, want)
	}
}

func (x exchanged) reasons() []string {
	var all []string
	for _, e := range x.root.find("justifyingDetectedIssueEvent") {
		all = append(all, e.find("code")[0].attr("code")+e.find("qualifier")[0].attr("code"))
	}
	return all
}

// failed checks a failed query with exactly these reasons.
func (x exchanged) failed(t *testing.T, reasons ...string) {
	t.Helper()
	x.is(t, 200, quqi)
	x.has(t, "acknowledgement", "typeCode", "AE")
	if diff := cmp.Diff(reasons, x.reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	if got := x.root.find("messageRef")[0].Children[0].attr("root"); got != x.hl7ID {
		t.Errorf("messageRef %s", got)
	}
}

func (x exchanged) acknowledged(t *testing.T, typeCode, reason, detail string) {
	t.Helper()
	x.is(t, 200, mcci)
	x.has(t, "acknowledgement", "typeCode", typeCode)
	var want []string
	if reason != "" {
		want = []string{reason + "ER"}
	}
	if diff := cmp.Diff(want, x.reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	got := ""
	for _, e := range x.root.find("acknowledgementDetail") {
		got += e.find("code")[0].attr("code")
	}
	if got != detail {
		t.Errorf("detail %q, want %q", got, detail)
	}
}

func (x exchanged) bare(t *testing.T, want bool) {
	t.Helper()
	if got := x.root.find("Body")[0].Children[0].XMLName.Local == mcci; got != want {
		t.Errorf("bare = %v, want %v", got, want)
	}
}

func (x exchanged) fault(t *testing.T, status int, faultcode, code string) {
	t.Helper()
	x.is(t, status, "fault")
	if x.text("faultcode") != faultcode || x.text("errorCode") != code || len(x.root.find("Header")) != 0 {
		t.Errorf("%s %s", x.text("faultcode"), x.text("errorCode"))
	}
}

// counts checks by how much the totals differ from what was sent.
func (x exchanged) counts(t *testing.T, accesses, records int) {
	t.Helper()
	x.is(t, 200, repc)
	if got, want := x.accessTotal(), strconv.Itoa(len(x.accesses())+accesses); got != want {
		t.Errorf("access total %s, want %s", got, want)
	}
	if got, want := x.recordTotal(), strconv.Itoa(len(x.root.find("record"))+records); got != want {
		t.Errorf("record total %s, want %s", got, want)
	}
}

// strange checks an element that must name another message.
func (x exchanged) strange(t *testing.T, local string) {
	t.Helper()
	if got := x.text(local); got == "uuid:"+x.hl7ID || len(got) != 41 {
		t.Errorf("%s is %q", local, got)
	}
}

func (x exchanged) page(t *testing.T, status int) {
	t.Helper()
	if x.status != status || x.header.Get("Content-Type") != "text/html" || !strings.Contains(string(x.body), "<html>") {
		t.Errorf("status %d, %s: %s", x.status, x.header.Get("Content-Type"), x.body)
	}
}
