package spinesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // plan dates are civil dates of the United Kingdom
)

// PlanType is one of the three kinds of plan.
type PlanType string

// The plan types, named as on the wire.
const (
	ChildProtection PlanType = "CPP" // child protection plan
	LookedAfter     PlanType = "LAC" // looked-after child
	UnbornChild     PlanType = "UCP" // unborn child protection plan, under the mother's number
)

// Days for which an ended plan stays visible.
const (
	visibleAfterEnd       = 365
	visibleAfterEndUnborn = 28
)

// Day is a civil date in the United Kingdom: relative to today, as "-10d",
// "0d" or "+30d", or absolute, as "2026-01-31"; either may end in a time, as
// "T0915". The empty Day is no date.
type Day string

// resolve is the day in the wire's form yyyyMMddHHmm, given today's date.
func (d Day) resolve(today time.Time) (string, error) {
	if d == "" {
		return "", nil
	}
	date, clock, timed := strings.Cut(string(d), "T")
	if !timed {
		clock = "0000"
	}
	_, err := time.Parse("1504", clock)
	if err != nil || len(clock) != 4 {
		return "", fmt.Errorf("the day %q has a time that is not HHmm", string(d))
	}
	if offset, relative := strings.CutSuffix(date, "d"); relative {
		days, err := strconv.Atoi(offset)
		if err != nil {
			return "", fmt.Errorf("the day %q is neither like -10d nor like 2026-01-31", string(d))
		}
		return today.AddDate(0, 0, days).Format("20060102") + clock, nil
	}
	absolute, err := time.Parse("2006-01-02", date)
	if err != nil {
		return "", fmt.Errorf("the day %q is neither like -10d nor like 2026-01-31", string(d))
	}
	return absolute.Format("20060102") + clock, nil
}

// on is resolve for days that were validated before.
func (d Day) on(today time.Time) string {
	s, err := d.resolve(today)
	if err != nil {
		return ""
	}
	return s
}

// Plan is one plan. End is empty for a plan without an end date, which an
// unborn child's plan may not be.
type Plan struct {
	Type  PlanType `toml:"type"`
	Start Day      `toml:"start"`
	End   Day      `toml:"end"`
}

// LocalAuthority is responsible for a record. Telephone numbers are as on the
// wire, with tel:; empty for none.
type LocalAuthority struct {
	Code          string `toml:"code"` // ODS
	Name          string `toml:"name"`
	OfficeHours   string `toml:"office_hours"`
	EmergencyDuty string `toml:"emergency_duty"`
}

// Record is what one local authority uploaded about one child: one to three plans.
type Record struct {
	Authority LocalAuthority `toml:"authority"`
	LocalID   string         `toml:"local_id"` // the authority's own number; may be empty
	Plans     []Plan         `toml:"plans"`
}

// Child is a synthetic child, or mother, of the store.
type Child struct {
	NHSNumber string   `toml:"nhs_number"` // of the 999 range
	Given     string   `toml:"given"`
	Family    string   `toml:"family"`
	Birth     Day      `toml:"birth"`
	Situation string   `toml:"situation"` // one line: what is special
	Records   []Record `toml:"records"`   // none: CP-IS holds nothing

	// EarlierAccesses is the number of accesses, by invented staff, that the
	// history holds before the first query.
	EarlierAccesses int `toml:"earlier_accesses"`

	// Behaviour is what queries about this child meet; empty for as-stored.
	Behaviour Behaviour `toml:"behaviour"`
}

// validate returns what is wrong with a child, as a sentence.
func (c Child) validate(behaviours map[Behaviour]behaviour) error {
	if !strings.HasPrefix(c.NHSNumber, "999") || !validNumber(c.NHSNumber) {
		return fmt.Errorf("the child %q has an NHS number outside the test range: it must be ten digits beginning with 999 that pass Modulus 11", c.Situation)
	}
	if c.Behaviour != "" {
		b, known := behaviours[c.Behaviour]
		if !known || b.stage != stageReply {
			return fmt.Errorf("the child %s has the behaviour %q, which is unknown or cannot depend on an NHS number", c.NHSNumber, c.Behaviour)
		}
	}
	if len(c.Records) > 0 && (c.Given == "" || c.Family == "" || c.Birth == "") {
		return fmt.Errorf("the child %s has a record but lacks given name, family name or birth", c.NHSNumber)
	}
	days := []Day{c.Birth}
	for _, r := range c.Records {
		if r.Authority.Code == "" || r.Authority.Name == "" {
			return fmt.Errorf("the child %s has a record without the local authority's code or name", c.NHSNumber)
		}
		if r.Authority.OfficeHours == "" && r.Authority.EmergencyDuty == "" {
			return fmt.Errorf("the child %s has a record whose local authority has no telephone number", c.NHSNumber)
		}
		if len(r.Plans) < 1 || len(r.Plans) > 3 {
			return fmt.Errorf("the child %s has a record that does not hold one to three plans", c.NHSNumber)
		}
		for _, p := range r.Plans {
			if p.Type != ChildProtection && p.Type != LookedAfter && p.Type != UnbornChild {
				return fmt.Errorf("the child %s has a plan of type %q; the types are CPP, LAC and UCP", c.NHSNumber, p.Type)
			}
			if p.Start == "" || (p.Type == UnbornChild && p.End == "") {
				return fmt.Errorf("the child %s has a plan without a start, or an unborn child's plan without an end", c.NHSNumber)
			}
			days = append(days, p.Start, p.End)
		}
	}
	for _, d := range days {
		_, err := d.resolve(time.Unix(0, 0))
		if err != nil {
			return fmt.Errorf("the child %s: %w", c.NHSNumber, err)
		}
	}
	return nil
}

// Plan and record as a query sees them: dates resolved, names on the wire.
type visiblePlan struct {
	kind      PlanType
	template  string // COCT_TP146105GB01.CPPInformation
	contentID string // COCT_TP146105GB01#CPPInformation
	stem      string // cPP, of cPPStartDate
	start     string
	end       string // empty: no end date
	nilEnd    bool   // an end date that is nil instead of absent
}

type visibleRecord struct {
	authority     LocalAuthority
	localID       string
	plans         []visiblePlan
	child, mother bool // subjects
	number        string
	given, family string
	birth         string
}

// visible lists the records that a query made today brings: plans that have
// not ended, or not long enough ago.
func (c Child) visible(today time.Time) []visibleRecord {
	var records []visibleRecord
	for _, r := range c.Records {
		v := visibleRecord{
			authority: r.Authority,
			localID:   r.LocalID,
			number:    c.NHSNumber,
			given:     c.Given,
			family:    c.Family,
			birth:     c.Birth.on(today)[:8],
		}
		for _, p := range r.Plans {
			end := p.End.on(today)
			if gone(p.Type, end, today) {
				continue
			}
			v.plans = append(v.plans, wirePlan(p.Type, p.Start.on(today), end))
			if p.Type == UnbornChild {
				v.mother = true
			} else {
				v.child = true
			}
		}
		if len(v.plans) > 0 {
			records = append(records, v)
		}
	}
	return records
}

// gone reports a plan that ended too long ago to be shown.
func gone(t PlanType, end string, today time.Time) bool {
	if end == "" {
		return false
	}
	days := visibleAfterEnd
	if t == UnbornChild {
		days = visibleAfterEndUnborn
	}
	return end[:8] < today.AddDate(0, 0, -days).Format("20060102")
}

func wirePlan(t PlanType, start, end string) visiblePlan {
	template, stem := "COCT_TP146105GB01", "cPP"
	switch t {
	case LookedAfter:
		template, stem = "COCT_TP146103GB01", "lAC"
	case UnbornChild:
		template, stem = "COCT_TP146104GB01", "uCP"
	}
	class := string(t) + "Information"
	return visiblePlan{
		kind:      t,
		template:  template + "." + class,
		contentID: template + "#" + class,
		stem:      stem,
		start:     start,
		end:       end,
	}
}

// civilDay is the date in the United Kingdom at that moment, as midnight UTC.
func civilDay(moment time.Time, zone *time.Location) time.Time {
	year, month, day := moment.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
