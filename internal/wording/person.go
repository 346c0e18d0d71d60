package wording

import "github.com/wardsmsp/ward/cpis"

// person names the person inside a sentence, always with the number asked about
// (WRD-SAF-10).
func (s scene) person() string {
	switch {
	case s.Number.IsZero() && s.ClientName == "":
		return s.number()
	case s.Number.IsZero():
		return s.ClientName
	case s.ClientName == "":
		return "the person with " + s.number()
	default:
		return s.ClientName + ", " + s.number()
	}
}

// number names the number asked about inside a sentence.
func (s scene) number() string {
	if s.Number.IsZero() {
		return "this person"
	}
	return "NHS number " + s.Number.Grouped()
}

// personAs begins a sentence with the person and continues with a verb.
func (s scene) personAs(verb string) string {
	switch {
	case s.ClientName == "":
		return "T" + s.person()[1:] + " " + verb
	case s.Number.IsZero():
		return s.ClientName + " " + verb
	default:
		return s.person() + ", " + verb
	}
}

// identity shows what the client says of the person beside what CP-IS says.
func (s scene) identity() Identity {
	number := s.Number.Grouped()
	if s.Number.IsZero() {
		number = "None"
	}
	id := Identity{Lines: []Line{
		{Label: "Name given by your system", Value: orElse(s.ClientName, "None")},
		{Label: "NHS number", Value: number},
	}}
	if !s.found {
		return id
	}
	people := s.peopleOnRecord()
	for _, p := range people {
		id.Lines = append(id.Lines,
			Line{Label: "Name on the CP-IS record", Value: p.name},
			Line{Label: "Date of birth on the CP-IS record", Value: p.birth})
	}
	id.Check = "Check that these match."
	if s.ClientName == "" {
		id.Check = "Check that these match the person."
	}
	if len(people) > 1 {
		id.Check += " The records do not all show the same name and date of birth."
	}
	return id
}

type personOnRecord struct{ name, birth string }

// peopleOnRecord lists each name with its date of birth once.
func (s scene) peopleOnRecord() []personOnRecord {
	var people []personOnRecord
	seen := map[personOnRecord]bool{}
	for _, record := range s.findings.Records {
		for _, subject := range record.Subjects {
			p := personOnRecord{
				name:  orElse(subject.Name.Display(), "Not given"),
				birth: orElse(birth(subject.Birth), "Not given"),
			}
			if subject.Mother {
				p.name += " (mother)"
			}
			if !seen[p] {
				seen[p] = true
				people = append(people, p)
			}
		}
	}
	if len(people) == 0 {
		people = []personOnRecord{{name: "Not given", birth: "Not given"}}
	}
	return people
}

func birth(m cpis.Moment) string {
	if m.IsZero() {
		return ""
	}
	return day(m)
}
