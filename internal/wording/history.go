package wording

import (
	"slices"
	"strings"

	"github.com/wardsmsp/ward/cpis"
)

// history lists who asked, newest first. Accesses of the same time keep their
// order, which is oldest first, reversed too.
func (s scene) history() *History {
	accesses := slices.Clone(s.findings.Accesses)
	slices.Reverse(accesses)
	slices.SortStableFunc(accesses, func(a, b cpis.Access) int { return b.Time.Time.Compare(a.Time.Time) })
	h := &History{Heading: historyHeading, Note: historyNote}
	for _, access := range accesses {
		line := asker(access.Author)
		line.When = s.instant(access.Time)
		h.Lines = append(h.Lines, line)
	}
	return h
}

func asker(author cpis.Author) Access {
	switch a := author.(type) {
	case cpis.Person:
		return Access{
			Who:          orElse(a.Name.Display(), "Name not given"),
			Role:         orElse(a.Role.Display, "role not given"),
			Organisation: organisation(a.Represented),
		}
	case cpis.System:
		return Access{
			Who:          "A system, without a named user",
			Role:         responsible(a.Authorities),
			Organisation: organisation(a.Maintaining),
		}
	default:
		return Access{Who: "Name not given", Role: "role not given", Organisation: "organisation not given"}
	}
}

// responsible names those who answer for a system.
func responsible(authorities []cpis.IndirectAuthority) string {
	var people []string
	for _, a := range authorities {
		person := strings.TrimSpace(clean(a.Name.Display()) + " " + inBrackets(a.Role.Display))
		if person != "" {
			people = append(people, person)
		}
	}
	if len(people) == 0 {
		return "responsible person not given"
	}
	return "responsible: " + list(people)
}

func inBrackets(s string) string {
	s = clean(s)
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func organisation(o cpis.Organisation) string {
	return orElse(o.Name, orElse(o.ID.Extension, "organisation not given"))
}

// String gives the access on one line.
func (a Access) String() string {
	return a.When + ": " + strings.Join([]string{a.Who, a.Role, a.Organisation}, ", ")
}
