package spinesim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// record is one record of a reply, as read from the wire.
type record struct {
	Authority, Name, Office, Emergency string
	Plans                              []string // type start end
	Subjects                           []string // form, NHS number, given, family, birth
}

func records(r reply) []record {
	var all []record
	for _, e := range r.root.find("record") {
		organisation := e.find("organisation")[0]
		rec := record{Authority: organisation.find("id")[0].attr("extension"), Name: organisation.find("name")[0].Text}
		for _, telecom := range organisation.find("telecom") {
			switch telecom.attr("use") {
			case "WP":
				rec.Office = telecom.attr("value")
			case "EC":
				rec.Emergency = telecom.attr("value")
			}
		}
		for _, p := range e.find("pertinentInformation15") {
			plan := p.find("contentId")[0].attr("extension")
			_, plan, _ = strings.Cut(plan, "#")
			for _, v := range p.find("value") {
				plan += " " + v.attr("value")
			}
			rec.Plans = append(rec.Plans, plan)
		}
		for _, s := range e.find("subject") {
			_, form, _ := strings.Cut(s.find("contentId")[0].attr("extension"), "#")
			number := ""
			for _, id := range s.find("id") {
				if id.attr("root") == "2.16.840.1.113883.2.1.4.1" {
					number = id.attr("extension")
				}
			}
			rec.Subjects = append(rec.Subjects, strings.Join([]string{form, number, s.find("given")[0].Text, s.find("family")[0].Text, s.find("birthTime")[0].attr("value")}, "|"))
		}
		all = append(all, rec)
	}
	return all
}

// The answers to the cast, with today at 10 July 2026.
func TestTheCastIsAnsweredAsDocumented(t *testing.T) {
	const w, n, sm = "Westmarch Borough Council", "Northwold County Council", "Saltmere City Council"
	tests := []struct {
		number  string
		records []record // nil for not found
	}{
		{"9990000018", []record{
			{"E09X1", w, "tel:02079460101", "tel:02079460102", []string{"CPPInformation 202604060000"}, []string{"Child|9990000018|Robin|Fennimore|20180831"}},
			{"E10X2", n, "tel:01632960201", "tel:01632960202", []string{"LACInformation 202401220000 202601010000"}, []string{"Child|9990000018|Robin|Fennimore|20180831"}},
		}},
		{"9990000026", []record{{"E09X1", w, "tel:02079460101", "tel:02079460102", []string{"UCPInformation 202605210000 202610070000"}, []string{"UnbornChild|9990000026|Jordan|Askwith|19991229"}}}},
		{"9990000034", nil},
		{"9990000050", []record{{"E10X2", n, "tel:01632960201", "tel:01632960202", []string{"CPPInformation 202603120000 202609080000"}, []string{"Child|9990000050|Rowan|Pellow|20210201"}}}},
		{"9990000085", []record{{"E09X1", w, "tel:02079460101", "tel:02079460102", []string{"CPPInformation 202607240000"}, []string{"Child|9990000085|Quinn|Marchbank|20190528"}}}},
		{"9990000107", []record{{"E10X2", n, "tel:01632960201", "tel:01632960202", []string{"CPPInformation 202405010000 202507110000"}, []string{"Child|9990000107|Emery|Wickstead|20160513"}}}},
		{"9990000115", []record{{"E10X2", n, "tel:01632960201", "tel:01632960202", []string{"CPPInformation 202405010000 202507100000"}, []string{"Child|9990000115|Harley|Oakhanger|20160512"}}}},
		{"9990000123", nil},
		{"9990000131", []record{{"E06X3", sm, "tel:01632960301", "tel:01632960302", []string{"UCPInformation 202512220000 202606120000"}, []string{"UnbornChild|9990000131|Alex|Brackenridge|19980118"}}}},
		{"9990000158", nil},
		{"9990000182", []record{{"E09X1", w, "tel:02079460101", "tel:02079460102", []string{"CPPInformation 202508040000", "LACInformation 202606200000"}, []string{"Child|9990000182|Reese|Hollinshead|20151115"}}}},
		{"9990000190", []record{{"E10X2", n, "tel:01632960201", "tel:01632960202",
			[]string{"CPPInformation 202505260000", "LACInformation 202507100000", "UCPInformation 202606100000 202611070000"},
			[]string{"Child|9990000190|Skyler|Dunmore|20101201", "UnbornChild|9990000190|Skyler|Dunmore|20101201"}}}},
		{"9990000212", []record{{"E08X6", "Fenwater Metropolitan Borough Council", "", "tel:01632960602", []string{"CPPInformation 202602100000"}, []string{"Child|9990000212|Drew|Kirkbride|20211014"}}}},
		{"9990000220", []record{{"E08X7", "Harrowdale Borough Council", "tel:", "tel:", []string{"CPPInformation 202602100000"}, []string{"Child|9990000220|Blake|Sunderby|20211013"}}}},
		{"9990000247", []record{{"W06X5", "Cyngor Sir Llanfair-y-Môr <Dwyrain & Gorllewin>", "tel:01632960501", "tel:01632960502", []string{"CPPInformation 202602100000"}, []string{"Child|9990000247|Zoë Łucja|Ó Súilleabháin-D’Arcy|20211011"}}}},
		{"9990000336", nil},
		{"4010232137", nil}, // a number that nobody mentioned
	}
	at := newClock()
	s := start(t, func(c *spinesim.Config) { c.Clock = at.time })
	c := newClient(t)
	for _, tt := range tests {
		t.Run(tt.number, func(t *testing.T) {
			r := ask(t, s, c, query{number: tt.number})
			if tt.records == nil {
				if r.kind() != "QUQI_IN010000UK14" {
					t.Fatalf("answered by %s", r.kind())
				}
				var codes []string
				for _, d := range r.root.find("justifyingDetectedIssueEvent") {
					codes = append(codes, d.find("code")[0].attr("code")+d.find("qualifier")[0].attr("code"))
				}
				if diff := cmp.Diff([]string{"1ER", "NHSNCC002ER"}, codes); diff != "" {
					t.Errorf("reasons (-want +got):\n%s", diff)
				}
				return
			}
			if diff := cmp.Diff(tt.records, records(r)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if r.recordTotal() != string('0'+byte(len(tt.records))) {
				t.Errorf("record total %s for %d records", r.recordTotal(), len(tt.records))
			}
			if got := r.value("queryResponseCode", "code"); got != "OK" {
				t.Errorf("queryResponseCode %s", got)
			}
		})
	}
}

// What Child says, with its expected code, is what a query gets.
func TestChildrenListsWhatQueriesGet(t *testing.T) {
	s := start(t, func(c *spinesim.Config) { c.Generate = 40 })
	c := newClient(t)
	names, situations := map[string]bool{}, map[string]bool{}
	for _, child := range s.Children(0) {
		if names[child.Given+child.Family] {
			t.Errorf("two children have the name of %s", child.NHSNumber)
		}
		names[child.Given+child.Family] = true
		if child.Behaviour == spinesim.AsStored && !strings.HasPrefix(child.Situation, "generated") {
			if child.Situation == "" || situations[child.Situation] {
				t.Errorf("%s has no situation of its own: %q", child.NHSNumber, child.Situation)
			}
			situations[child.Situation] = true
		}
		if child.Behaviour != spinesim.AsStored {
			continue
		}
		r := ask(t, s, c, query{number: child.NHSNumber})
		got := map[string]string{"REPC_IN000007GB01": "SMSP-0000", "QUQI_IN010000UK14": "CPIS-0001"}[r.kind()]
		if got != child.Code {
			t.Errorf("%s: expected code %s, answered by %s", child.NHSNumber, child.Code, r.kind())
		}
		var want []record
		for _, v := range child.Records {
			rec := record{Authority: v.AuthorityCode, Name: v.AuthorityName, Office: v.OfficeHours, Emergency: v.EmergencyDuty}
			born, unborn := false, false
			for _, p := range v.Plans {
				rec.Plans = append(rec.Plans, strings.TrimSpace(string(p.Type)+"Information "+p.Start+" "+p.End))
				born, unborn = born || p.Type != spinesim.UnbornChild, unborn || p.Type == spinesim.UnbornChild
			}
			who := strings.Join([]string{child.NHSNumber, child.Given, child.Family, child.Birth}, "|")
			if born {
				rec.Subjects = append(rec.Subjects, "Child|"+who)
			}
			if unborn {
				rec.Subjects = append(rec.Subjects, "UnbornChild|"+who)
			}
			want = append(want, rec)
		}
		if diff := cmp.Diff(want, records(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", child.NHSNumber, diff)
		}
	}
	if len(names) < 100 {
		t.Errorf("only %d children", len(names))
	}
}

// Dates follow the clock, so that the cast is as fresh tomorrow as today, and
// the day is that of the United Kingdom.
func TestTheCastStaysFresh(t *testing.T) {
	at := newClock()
	s := start(t, func(c *spinesim.Config) { c.Clock = at.time })
	c := newClient(t)
	starts := func() string { return records(ask(t, s, c, query{number: "9990000085"}))[0].Plans[0] }
	if got := starts(); got != "CPPInformation 202607240000" {
		t.Errorf("today: %s", got)
	}
	at.add(14*time.Hour + 30*time.Minute) // 23:30 in UTC is the next day in summer
	if got := starts(); got != "CPPInformation 202607250000" {
		t.Errorf("half past midnight, British summer time: %s", got)
	}
	at.add(100 * 24 * time.Hour)
	if r := ask(t, s, c, query{number: "9990000123"}); r.kind() != "QUQI_IN010000UK14" {
		t.Errorf("a plan that ended 366 days ago is answered by %s", r.kind())
	}
}

// Configured children are answered, with absolute days and a behaviour too.
func TestConfiguredChildrenAreAnswered(t *testing.T) {
	child := spinesim.Child{
		NHSNumber: "9990000344", Given: "Extra", Family: "Child", Birth: "2019-02-03", Situation: "configured",
		Records: []spinesim.Record{{
			Authority: spinesim.LocalAuthority{Code: "X1", Name: "Council", EmergencyDuty: "tel:1"},
			Plans:     []spinesim.Plan{{Type: spinesim.LookedAfter, Start: "2024-05-06T0930", End: "+1d"}},
		}},
	}
	slow := child
	slow.NHSNumber, slow.Behaviour = "9990000352", "found-harness-shape"
	at := newClock()
	s := start(t, func(c *spinesim.Config) { c.Clock, c.Children = at.time, []spinesim.Child{child, slow} })
	c := newClient(t)
	want := []record{{"X1", "Council", "", "tel:1", []string{"LACInformation 202405060930 202607110000"}, []string{"Child|9990000344|Extra|Child|20190203"}}}
	if diff := cmp.Diff(want, records(ask(t, s, c, query{number: "9990000344"}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := records(ask(t, s, c, query{number: "9990000352"}))[0].Authority; got != "x1" {
		t.Errorf("authority %q, want the harness's lower case", got)
	}
}
