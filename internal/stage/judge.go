package stage

import (
	"fmt"
	"strings"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/spinesim"
)

// Differences tells what in an answer is not that of the generated child which was
// asked about, as it was before, in every part that its number determines.
func Differences(child spinesim.ChildView, r client.Result) []string {
	findings, ok := r.Answer.Findings()
	if !ok || len(findings.Records) != 1 || r.Asked.Digits() != child.NHSNumber {
		return []string{fmt.Sprintf("%s: %s, %d records: %v", child.NHSNumber, r.Answer.Outcome(), len(findings.Records), r.Cause)}
	}
	var all []string
	want, got := child.Records[0], findings.Records[0]
	subject := got.Subjects[0]
	for _, pair := range [][2]string{
		{got.LocalAuthority.ID.Extension, want.AuthorityCode},
		{got.LocalAuthority.Name, want.AuthorityName},
		{"tel:" + got.LocalAuthority.OfficeHours(), want.OfficeHours},
		{"tel:" + got.LocalAuthority.EmergencyDuty(), want.EmergencyDuty},
		{written(got.Plans[0].Start), want.Plans[0].Start},
		{written(got.Plans[0].End), want.Plans[0].End},
		{subject.Name.Part("given"), child.Given},
		{subject.Name.Part("family"), child.Family},
		{subject.Birth.Written, child.Birth},
	} {
		if pair[0] != pair[1] {
			all = append(all, fmt.Sprintf("asked about %s, whose answer holds %q, and got %q", child.NHSNumber, pair[1], pair[0]))
		}
	}
	for _, access := range findings.Accesses {
		if access.Number.Digits() != child.NHSNumber {
			all = append(all, fmt.Sprintf("asked about %s, and got the history of %s", child.NHSNumber, access.Number.Digits()))
		}
	}
	if len(findings.Accesses) != child.Accesses+1 || r.Answer.Notified() != cpis.NotifiedYes {
		all = append(all, fmt.Sprintf("%s: %d accesses, want %d; notified %s", child.NHSNumber, len(findings.Accesses), child.Accesses+1, r.Answer.Notified()))
	}
	if id := findings.ID; !strings.Contains(string(r.Raw), id) || id == "" {
		all = append(all, fmt.Sprintf("%s: the answer has no id of its own", child.NHSNumber))
	}
	return all
}

// written is a plan's date as the wire writes it.
func written(d cpis.Date) string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d%02d%02d%02d%02d", d.Year, d.Month, d.Day, d.Hour, d.Minute)
}
