package spinesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// firstGenerated is the index (see syntheticNumber) of the first generated
// child; the cast is below it.
const (
	firstGenerated = 100_000
	lastGenerated  = 999_999
)

// generator makes children from their numbers: whatever an answer about one of
// them holds can be told from the number alone. Nothing is stored.
type generator struct {
	count int // children
	end   int // index after the last one
}

func newGenerator(count int) (generator, error) {
	end := firstGenerated
	for made := 0; made < count; end++ {
		if end > lastGenerated {
			return generator{}, fmt.Errorf("%d generated children are more than the test range holds", count)
		}
		_, ok := syntheticNumber(end)
		if ok {
			made++
		}
	}
	return generator{count: count, end: end}, nil
}

// has reports whether the number is one of the generated children's.
func (g generator) has(number string) bool {
	if len(number) != 10 || !strings.HasPrefix(number, "999") || !validNumber(number) {
		return false
	}
	index, err := strconv.Atoi(number[3:9])
	return err == nil && index >= firstGenerated && index < g.end
}

// numbers lists the generated children's first limit numbers.
func (g generator) numbers(limit int) []string {
	var all []string
	for i := firstGenerated; i < g.end && len(all) < limit; i++ {
		number, ok := syntheticNumber(i)
		if ok {
			all = append(all, number)
		}
	}
	return all
}

// child makes the child of a number, of the test range or not.
func (g generator) child(number string) Child {
	name := spell(number)
	index := 0
	for _, c := range number {
		if c >= '0' && c <= '9' {
			index = index*10 + int(c-'0')
			index %= 1_000_000_000
		}
	}
	index /= 10 // without the check digit
	start := Day(fmt.Sprintf("-%ddT%02d%02d", 20+index%280, index/280%24, index/6720%60))
	plan := Plan{Type: ChildProtection, Start: start}
	birth := 400 + index*37%5600
	switch index % 4 {
	case 1:
		plan.Type = LookedAfter
	case 2:
		plan.End = Day(fmt.Sprintf("+%ddT%02d%02d", 1+index%300, index/300%24, index/7200%60))
	case 3:
		plan.Type, birth = UnbornChild, 6000+index%9000
		plan.End = Day(fmt.Sprintf("+%ddT%02d%02d", 1+index%250, index/250%24, index/6000%60))
	}
	return Child{
		NHSNumber: number,
		Given:     "Syn" + strings.ToLower(name[:4]),
		Family:    name,
		Birth:     Day(fmt.Sprintf("-%dd", birth)),
		Situation: "generated from the number",
		Records: one(LocalAuthority{
			Code:          "S" + number,
			Name:          name + " Synthetic Council",
			OfficeHours:   "tel:01" + number,
			EmergencyDuty: "tel:02" + number,
		}, plan),
		EarlierAccesses: index % 3,
	}
}

// spell writes digits as a pronounceable name, each number another one.
func spell(number string) string {
	syllables := [10]string{"ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu"}
	var b strings.Builder
	for _, c := range number {
		if c >= '0' && c <= '9' {
			b.WriteString(syllables[c-'0'])
		}
	}
	name := b.String()
	if len(name) < 4 {
		name += "zezo"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// earlierAccesses is the history before the first query: accesses by invented
// staff, each by another author, the newest two days ago, at most as many as a
// history keeps.
func earlierAccesses(c Child, now time.Time) []*access {
	kept := min(c.EarlierAccesses, keptAccesses)
	history := make([]*access, 0, kept)
	for age := kept; age >= 1; age-- {
		at := now.Add(-48*time.Hour - time.Duration(age)*(79*time.Hour+13*time.Minute)).Truncate(time.Second)
		stamp := at.UTC().Format("20060102150405") + "+0000"
		if age%3 == 0 {
			stamp = at.UTC().Format("20060102150405") // as older entries of the real service
		}
		id := derivedID(fmt.Sprintf("access %s %d", c.NHSNumber, age))
		history = append(history, newAccess(at, stamp, id, c.NHSNumber, inventedAuthor(age)))
	}
	return history
}

// inventedAuthor is a member of staff, or a system with one, for each number.
func inventedAuthor(i int) author {
	given := [...]string{"Ashley", "Kim", "Lesley", "Robin", "Ariel", "Sam", "Lee"}
	family := [...]string{"Placeholder", "Specimen", "Dummy-Jones", "Exemplar", "Mockford"}
	places := [...]struct{ code, name string }{
		{"ZX101", "MEADOWBANK WALK-IN CENTRE"},
		{"ZX102", "Saint Elswith's Hospital Emergency Department"},
		{"ZX101", "Meadowbank Walk-in Centre"},
		{"ZX103", "TWO RIVERS OUT OF HOURS SERVICE"},
		{"ZX104", "Calder & Vale Ambulance Service"},
	}
	roles := [...]coded{
		{"R0260", oidJobRole, "General Medical Practitioner"},
		{"R0670", oidJobRole, "Midwife - Sister/Charge Nurse"},
		{"R0110", oidJobRole, "Specialist Registrar"},
		{"R0580", oidJobRole, "Nurse Manager"},
	}
	name := personName{use: "L", parts: []namePart{
		{"prefix", "Dr"}, {"given", given[i%len(given)]}, {"family", family[i%len(family)]},
	}}
	place := places[i%len(places)]
	a := author{
		organisation: instanceID{oidODS, place.code},
		orgName:      place.name,
	}
	if i%4 == 0 {
		a.form = formSystem
		a.asid = fmt.Sprintf("9999%08d", i)
		a.responsible = []responsible{{role: roles[i%len(roles)], name: personName{parts: name.parts}}}
		return a
	}
	a.form = formPerson
	a.role = roles[i%len(roles)]
	a.name = name
	a.ids = []instanceID{
		{oidUser, fmt.Sprintf("555000%06d", i)},
		{oidRoleProfile, fmt.Sprintf("5551000%06d", i)}, // longer than a user id, as seen
	}
	return a
}
