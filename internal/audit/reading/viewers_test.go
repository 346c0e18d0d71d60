package reading_test

import (
	"context"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/audit"
	"github.com/wardsmsp/ward/internal/audit/audittest"
	"github.com/wardsmsp/ward/internal/audit/reading"
)

func (m *model) viewers(t *testing.T, number string) reading.Viewers {
	t.Helper()
	v, err := reading.New(m.store, m.keys, m).Viewers(t.Context(), officer, number, time.Time{}, time.Time{})
	return must(t, v, err)
}

// IG-3.9.3a: a reading that showed entries about several people is found under the
// number of each, with what it showed of them; and the list is itself a reading, found
// under the number of whose it was.
func TestAReadingOfSeveralIsFoundUnderEach(t *testing.T) {
	m := small(t)
	other := reading.Who{Operator: "Sam Clerk", Purpose: "curious", Remote: "desk-3"}
	_, err := reading.New(m.store, m.keys, m).Show(t.Context(), other, 1, 3)
	must(t, 0, err)
	for i, test := range []struct {
		want [2]int64
		list string
	}{{[2]int64{1, 1}, "[0,1],[4,4]"}, {[2]int64{2, 3}, "[2,4]"}} {
		v := m.viewers(t, numbers[i])
		if len(v.Views) != 1 || v.Searched != 5+int64(i) {
			t.Fatalf("%d searched, readings %+v", v.Searched, v.Views)
		}
		diff := cmp.Diff(reading.View{Seq: 4, Time: v.Views[0].Time, Certainty: reading.Shown, Did: "show", Operator: "Sam Clerk", Purpose: "curious",
			Remote: "desk-3", Shown: [][2]int64{test.want}, Several: true, State: "whole"}, v.Views[0])
		if diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wantList := fmt.Sprintf(`{"did":"viewers","criteria":{"nhs_number":"%s"},"searched":%d,"shown":[%s]}`, numbers[i], 5+i, test.list)
		e := m.newest(t)
		if string(e.Detail) != wantList || e.NHSNumber != numbers[i] || e.Entries != 3 || e.Operator != officer.Operator || e.Purpose != officer.Purpose {
			t.Errorf("the list is recorded as %+v, %s, want %s", e, e.Detail, wantList)
		}
	}
	if v := m.viewers(t, numbers[2]); len(v.Questions)+len(v.Views) > 0 {
		t.Errorf("somebody of whom there is nothing has %+v", v)
	}
}

// IG-3.9.3a: who asked is told with what the question said of them.
func TestWhoAsked(t *testing.T) {
	m := small(t)
	e := audit.Entry{Kind: audit.Intent, Time: began, Correlation: "5F0C9C2E-1111-4F7A-9D6E-000000000000", Client: clients[1], Organisation: "RYY",
		NHSNumber: numbers[2], Username: "u", AuditIdentities: []audit.Identity{{URI: users[0]}},
		Author: &audit.Author{Form: "person", Name: "Nurse Example", UserID: users[1], RoleName: "Nurse", Authorities: []audit.Authority{{Name: bodies[0]}}}}
	m.add(t, e)
	e.Kind, e.Outcome, e.Notified, e.Time = audit.Outcome, "found", "yes", began.Add(time.Second)
	m.add(t, e)
	m.add(t, audit.Entry{Kind: audit.Undelivered, Time: began.Add(2 * time.Second), Correlation: e.Correlation})
	m.add(t, audit.Entry{Kind: audit.Refused, Time: began, Correlation: e.Correlation, NHSNumber: numbers[3]}) // of somebody else
	want := []reading.Question{{Entries: [][2]int64{{4, 6}}, Time: began, Correlation: e.Correlation, Client: clients[1], Organisation: "RYY",
		Users: []string{"u", users[0]}, Author: []string{"Nurse Example", users[1], "Nurse", bodies[0]}, Outcome: "found", Notified: "yes",
		Undelivered: true, State: "whole"}}
	if diff := cmp.Diff(want, m.viewers(t, "999 000 0034").Questions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rd := reading.New(m.store, m.keys, m)
	for _, period := range []struct {
		since, until time.Duration
		asked        int
	}{{0, time.Millisecond, 1}, {time.Second, time.Hour, 1}, {3 * time.Second, time.Hour, 0}, {-time.Hour, 0, 0}} {
		v, err := rd.Viewers(t.Context(), officer, numbers[2], began.Add(period.since), began.Add(period.until))
		if len(must(t, v, err).Questions) != period.asked {
			t.Errorf("%+v: %+v", period, v.Questions)
		}
	}
}

// IG-3.9.3a: of an export only the criteria are recorded; who meets them may have been
// shown, and nobody else.
func TestExportsInTheListOfViewers(t *testing.T) {
	for name, test := range map[string]struct {
		criteria func(*model) reading.Criteria
		want     [2]reading.Certainty // of each of the two people; "" if it is not listed
	}{
		"everything":      {func(*model) reading.Criteria { return reading.Criteria{} }, [2]reading.Certainty{reading.MayShow, reading.MayShow}},
		"a range":         {func(*model) reading.Criteria { return reading.Criteria{From: 2, To: 4} }, [2]reading.Certainty{"", reading.MayShow}},
		"before an entry": {func(*model) reading.Criteria { return reading.Criteria{To: 2} }, [2]reading.Certainty{reading.MayShow, ""}},
		"a number":        {func(*model) reading.Criteria { return reading.Criteria{NHSNumber: numbers[1]} }, [2]reading.Certainty{"", reading.MayShow}},
		"a number and more": {func(*model) reading.Criteria { return reading.Criteria{NHSNumber: numbers[1], Kind: audit.Erased} },
			[2]reading.Certainty{"", reading.Sought}},
		"an outcome": {func(*model) reading.Criteria { return reading.Criteria{Outcome: "FOUND", Kind: audit.Outcome} },
			[2]reading.Certainty{reading.MayShow, reading.MayShow}},
		"another outcome": {func(*model) reading.Criteria { return reading.Criteria{Outcome: "no_record"} }, [2]reading.Certainty{}},
		"a message, of which the entry itself says nothing": {func(m *model) reading.Criteria {
			return reading.Criteria{Message: strings.ToLower(m.entries[0].MessageID), Kind: audit.Undelivered}
		}, [2]reading.Certainty{reading.MayShow, ""}},
		"a user, of whom a removed entry says nothing": {func(m *model) reading.Criteria { return reading.Criteria{User: "somebody", To: 1} },
			[2]reading.Certainty{reading.MayShow, ""}},
		"a correlation": {func(m *model) reading.Criteria { return reading.Criteria{Correlation: m.entries[2].Correlation} }, [2]reading.Certainty{"", reading.MayShow}},
		"a later time":  {func(*model) reading.Criteria { return reading.Criteria{Since: began.Add(time.Second)} }, [2]reading.Certainty{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := small(t)
			m.add(t, audit.Entry{Kind: audit.Undelivered, Time: began, Correlation: m.entries[0].Correlation})
			m.remove(t, 0)
			for _, err := range reading.New(m.store, m.keys, m).Export(t.Context(), officer, test.criteria(m), "jsonl") {
				must(t, 0, err)
			}
			for i, want := range test.want {
				for _, view := range m.viewers(t, numbers[i]).Views {
					if view.Did == "export" && view.Certainty != want || view.Form != "jsonl" && view.Did != "viewers" {
						t.Errorf("person %d: %+v, want %q", i, view, want)
					}
					if view.Did == "export" {
						want = ""
					}
				}
				if want != "" {
					t.Errorf("person %d: not listed, want %q", i, want)
				}
			}
		})
	}
}

// IG-3.9.3a, rule 2: a reading of which it cannot be told what it showed is listed as
// such, and never left out; backups, which may be many, are counted.
func TestWhatCannotBeToldIsListed(t *testing.T) {
	m := small(t)
	rd := reading.New(m.store, m.keys, m)
	_, err := rd.Show(t.Context(), officer, 0, 2)
	must(t, 0, err)
	m.remove(t, 4) // the content of that reading
	for _, detail := range []string{`{}`, `{"did":"search","criteria":{},"searched":1,"shown":[[5,0]]}`, `{"did":"later"}`,
		`{"did":"export","criteria":{"kind":"later"},"searched":1}`, `{"did":"show","criteria":{},"searched":99,"shown":[[0,0]]}`,
		`{"did":"show","criteria":{},"searched":1,"shown":[[1,1]]}`} {
		m.add(t, audit.Entry{Kind: audit.Read, Time: began, Operator: "x", Entries: 1, Detail: json.RawMessage(detail)})
	}
	m.add(t, audit.Entry{Kind: audit.Held, Time: began, Operator: "x", NHSNumber: numbers[0], Hold: "inquest 1"})
	m.add(t, audit.Entry{Kind: audit.Read, Time: began, Operator: "x", Entries: 1, Detail: json.RawMessage(`{"did":"holds"}`)})
	m.add(t, audit.Entry{Kind: audit.Read, Time: began, Operator: "x", Detail: json.RawMessage(`{"did":"holds"}`)}) // there were none any more
	for i := range 3 {
		m.add(t, audit.Entry{Kind: audit.Read, Time: began.Add(time.Duration(i) * time.Hour), Operator: "cron", Detail: json.RawMessage(`{"did":"backup"}`)})
	}
	v := m.viewers(t, numbers[0])
	var got []string
	for _, view := range v.Views {
		got = append(got, fmt.Sprintf("%d %s %s", view.Seq, view.Certainty, view.State))
	}
	want := []string{"4 cannot_be_told removed", "6 cannot_be_told whole", "7 cannot_be_told whole", "8 cannot_be_told whole", "9 cannot_be_told whole",
		"10 cannot_be_told whole", "11 cannot_be_told whole", "13 may_have_been_shown whole"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantBackups := []reading.Backups{{Operator: "cron", Tally: reading.Tally{Count: 3, First: began, Last: began.Add(2 * time.Hour)}}}
	if diff := cmp.Diff(wantBackups, v.Backups); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A list that would leave out what is indexed under a key that is not at hand is an
// error, and so is one for nobody.
func TestViewersNeedEveryIndexKey(t *testing.T) {
	m := small(t)
	rd := reading.New(m.store, m.keys, m)
	for number, says := range map[string]string{"": "name the person", "12345": "ten digits"} {
		_, err := rd.Viewers(t.Context(), officer, number, time.Time{}, time.Time{})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "12345") {
			t.Errorf("%q: %v", number, err)
		}
	}
	m.add(t, audit.Entry{Kind: audit.Configured, Time: began, Operator: "ward", Detail: json.RawMessage(`{"settings":{"audit.index_keys":"[\"0a0b0c0d\"]"}}`)})
	_, err := rd.Viewers(t.Context(), officer, numbers[0], time.Time{}, time.Time{})
	if err == nil || !strings.Contains(err.Error(), "0a0b0c0d") {
		t.Errorf("Viewers: %v", err)
	}
	_, err = rd.Subject(t.Context(), officer, numbers[0], false)
	if err == nil || !strings.Contains(err.Error(), "0a0b0c0d") {
		t.Errorf("Subject: %v", err)
	}
}

// WRD-OPS-14: in a log that began in an earlier version the old entries count, also the
// rest of an old transaction and an old reading, of which nothing but the time is known.
func TestViewersOfAnOldLog(t *testing.T) {
	m := newModel(t, &audittest.Memory{}, mathrand.New(mathrand.NewPCG(3, 0)), 0)
	must(t, 0, m.log.Close(context.Background()))
	m.store, m.entries = &audittest.Memory{}, make(map[int64]audit.Entry)
	m.commitOld(t, []audit.Entry{
		{Kind: audit.Read, Time: began},
		{Kind: audit.Intent, Time: began, Correlation: "C", NHSNumber: numbers[0], Username: users[2], Client: clients[0]},
		{Kind: audit.Intent, Time: began, Correlation: "D", NHSNumber: numbers[1], Username: users[2]},
		{Kind: audit.Outcome, Time: began, Correlation: "C", Outcome: "found"},
		{Kind: audit.Read, Time: began},
	}, m.signer)
	m.open(t, m.signer, m.keys)
	defer discard(t, m)
	rd := reading.New(m.store, m.keys, m)
	_, err := rd.Show(t.Context(), officer, 2, 2)
	must(t, 0, err)
	for range 2 {
		v := m.viewers(t, numbers[0])
		wantAsked := []reading.Question{{Entries: [][2]int64{{1, 1}, {3, 3}}, Time: began, Correlation: "C", Client: clients[0], Users: []string{users[2]},
			Outcome: "found", State: "whole"}}
		if diff := cmp.Diff(wantAsked, v.Questions); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(v.Views) < 2 || v.Views[0].Seq != 4 || v.Views[0].Certainty != reading.Untold || v.Views[1].Seq != 5 ||
			!cmp.Equal(v.Views[1].Shown, [][2]int64{{3, 3}}) {
			t.Errorf("%+v", v.Views)
		}
	}
}
