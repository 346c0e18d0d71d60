package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/itk"
	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
)

// The text form is what a clinician reads: who, what, whom to call, and that the
// answer is not a real one here (WRD-SAF-10, WRD-SAF-12, WRD-SAF-17).
func TestAskText(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	t.Setenv("COLUMNS", "100")
	e := ward(t, "ask", "-config", s.ClientConfig(), withPlan)
	e.expect(t, exitDone, "999 000 0042", "Casey", "Thornbeck", "Northwold County Council", "01632960201", "01632960202", "not real")
	if e.log != "" {
		t.Errorf("an answer, and yet: %s", e.log)
	}
	ward(t, "ask", withoutRecord, "-config", s.ClientConfig()).expect(t, exitDone, "999 000 0034")
}

// Flags may stand before and after the number.
func TestAskFlagsAnywhere(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	for _, args := range [][]string{
		{"ask", "-json", "-config", s.ClientConfig(), withPlan},
		{"ask", withPlan, "-json", "-config", s.ClientConfig()},
		{"ask", "-config", s.ClientConfig(), withPlan, "-json"},
	} {
		e := ward(t, args...)
		e.expect(t, exitDone)
		if !json.Valid([]byte(e.out)) {
			t.Errorf("%v: not JSON: %s", args, e.out)
		}
	}
}

// The JSON form states what may be concluded, whether the local authority was told,
// and what was found, with the same meaning for each child of the cast.
func TestAskJSON(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	for _, child := range s.Children(len(spinesim.Cast())) {
		e := ward(t, "ask", "-json", "-config", s.ClientConfig(), child.NHSNumber)
		e.expect(t, exitDone)
		var d document
		decoder := json.NewDecoder(strings.NewReader(e.out))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&d)
		if err != nil {
			t.Fatal(err)
		}
		outcome, told := "no_record", "no"
		if len(child.Records) > 0 {
			outcome, told = "found", "yes"
		}
		if d.Outcome != outcome || d.Notified != told || d.NHSNumber != child.NHSNumber || len(d.Records) != len(child.Records) {
			t.Errorf("%s: %s, told %s, %d records", child.Situation, d.Outcome, d.Notified, len(d.Records))
		}
		if d.State == "" || d.Meaning == "" || d.AskAgain == "" || d.MessageID == "" || d.Correlation == "" || d.AskedAt.IsZero() || d.Cause != "" {
			t.Errorf("%s: incomplete: %s", child.Situation, e.out)
		}
		for i, held := range child.Records {
			if i < len(d.Records) && d.Records[i].LocalAuthority.Name != held.AuthorityName || len(d.Records[i].Plans) != len(held.Plans) {
				t.Errorf("%s: record %d differs", child.Situation, i+1)
			}
		}
	}
}

// -raw prints the bytes that came, and nothing else.
func TestAskRaw(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	e := ward(t, "ask", "-raw", "-config", s.ClientConfig(), withPlan)
	e.expect(t, exitDone)
	reply, err := itk.ReadReply(e.out, 1<<20)
	if err != nil || reply.Code != cpis.CodeSuccess || !strings.HasSuffix(e.out, ">") {
		t.Errorf("code %s, error %v", reply.Code, err)
	}
}

// -request prints what would be sent, and asks nothing: neither the provider nor
// the Spine hears of it (WRD-SUP-11).
func TestAskRequestSendsNothing(t *testing.T) {
	s := set(t, stage.Options{})
	play(t, s)
	before := leaves(t, s)
	e := ward(t, "ask", "-request", "-config", s.ClientConfig(), withPlan)
	e.expect(t, exitDone, "<soap:Envelope", "CP-ISQueryStub", withPlan)
	after := leaves(t, s)
	if len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("the provider recorded something:\n%s", after)
	}
	if n := s.Simulator.Counters().Connections; n != 0 {
		t.Errorf("%d connections reached the Spine", n)
	}
}

// WRD-PDS-03: -born goes with the request, and what is no date of birth asks nothing.
func TestAskBorn(t *testing.T) {
	s := set(t, stage.Options{})
	e := ward(t, "ask", "-request", "-born", "2019-02-28", "-config", s.ClientConfig(), withPlan)
	e.expect(t, exitDone, `key="urn:x-cpis-smsp:date-of-birth" value="2019-02-28"`)
	for _, born := range []string{"2019-02-29", "28/02/2019", "2999-01-01"} {
		e = ward(t, "ask", "-born", born, "-config", s.ClientConfig(), withPlan)
		e.expect(t, exitUsage, "-born", "Nothing was asked")
		if e.out != "" || strings.Contains(e.log, born) {
			t.Errorf("%s: out %q, log %q", born, e.out, e.log)
		}
	}
	play(t, s)
	ward(t, "ask", "-born", "2019-02-28", "-config", s.ClientConfig(), withPlan).expect(t, exitDone, "Northwold County Council")
}

// MSCA-DQ-03, MSCA-PDS-06, WRD-PDS-04: a nurse reads the number that took the place of
// the one asked about, in groups, and that a number was not verified; -json has both.
func TestAskShowsWhatWasSaidOfTheNumber(t *testing.T) {
	asked, err := cpis.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	replacement, err := cpis.ParseNHSNumber("9990000026")
	if err != nil {
		t.Fatal(err)
	}
	noRecord := cpis.Told(cpis.CodeNoRecord, nil, cpis.Findings{}, 0, 0)
	for name, c := range map[string]struct {
		answer cpis.Answer
		code   int
		text   string
		json   string
	}{
		"replaced":     {cpis.Superseded(replacement), exitNotChecked, "replaced by 999 000 0026", `"replacement_nhs_number": "9990000026"`},
		"not verified": {noRecord.WithVerification(cpis.Unverified), exitDone, "could not be confirmed", `"demographics": "not-checked"`},
		"verified":     {noRecord.WithVerification(cpis.Verified), exitDone, "No record found", `"demographics": "verified"`},
	} {
		result := client.Result{Asked: asked, AskedAt: time.Now(), Answer: c.answer}
		for _, asJSON := range []bool{false, true} {
			want := c.text
			if asJSON {
				want = c.json
			}
			var out, log strings.Builder
			code, err := show(result, &config.ClientSettings{}, time.UTC, asJSON, false, &out, &log)
			if err != nil || code != c.code || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
				t.Errorf("%s: exit code %d, %v: %s", name, code, err, out.String())
			}
			if strings.Contains(log.String(), "999000") {
				t.Errorf("%s: the log names a number: %s", name, log.String())
			}
		}
	}
}

// The exit code tells an answer from the two kinds of no answer, in every form, and
// the log says why there is none.
func TestAskExitCodes(t *testing.T) {
	s := set(t, stage.Options{})
	stop := play(t, s)
	notKnown := []string{"CPIS-9999", "SMSP-0002", "SMSP-9999"}
	for _, form := range []string{"-json=false", "-json", "-raw"} {
		for _, code := range notKnown {
			number := childWith(t, s, code)
			e := ward(t, "ask", form, "-config", s.ClientConfig(), number)
			e.expect(t, exitNotKnown, "ward: the result is not known: ", code)
			if strings.Contains(e.log, number) {
				t.Errorf("the log names the patient: %s", e.log)
			}
		}
		ward(t, "ask", form, "-config", s.ClientConfig(), wrongDigit).expect(t, exitNotChecked, "ward: the check was not made: ", "SMSP-0001")
		ward(t, "ask", form, "-config", s.ClientConfig(), withoutRecord).expect(t, exitDone)
	}
	stop()
	e := ward(t, "ask", "-config", s.ClientConfig(), withPlan)
	e.expect(t, exitNotChecked, "ward: the check was not made: ")
	if strings.Contains(e.log, withPlan) {
		t.Errorf("the log names the patient: %s", e.log)
	}
}

// A configuration that is wrong asks nothing, and all of it is told at once.
func TestAskWithABadConfiguration(t *testing.T) {
	s := set(t, stage.Options{})
	path := write(t, s.Dir, "bad.toml", strings.Replace(read(t, s.ClientConfig()), `provider = "Y99"`, "provider = \"\"\nproviders = \"Y99\"", 1))
	e := ward(t, "ask", "-config", path, withPlan)
	e.expect(t, exitFailed, "2 problem(s)", "provider: ", "providers: ")
	if e.out != "" || strings.Contains(e.log, withPlan) {
		t.Errorf("out %q, log %q", e.out, e.log)
	}
}
