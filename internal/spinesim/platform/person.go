package platform

import (
	"fmt"
	"regexp"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// State is what has become of an NHS number at PDS.
type State string

// The states; the empty one is a number in use.
const (
	InUse       State = ""
	Superseded  State = "superseded"  // answered with the person under another number
	Invalidated State = "invalidated" // 404 INVALIDATED_RESOURCE
	Unknown     State = "unknown"     // 404 RESOURCE_NOT_FOUND, as any number that nobody has
)

// Security is the code of meta.security. For R, V and REDACTED the person
// comes without address, telephone and general practice.
type Security string

// The codes; the empty one is U.
const (
	Unrestricted   Security = "U"
	Restricted     Security = "R"
	VeryRestricted Security = "V"
	Redacted       Security = "REDACTED"
)

// Person is somebody whom PDS knows, invented like all here.
type Person struct {
	NHSNumber  string `toml:"nhs_number"` // of the 999 range
	Given      string `toml:"given"`
	Family     string `toml:"family"`
	Birth      string `toml:"birth"` // yyyy-MM-dd, yyyy-MM or yyyy; empty for none
	State      State  `toml:"state"`
	ReplacedBy string `toml:"replaced_by"` // of a superseded number, the one in use

	Security  Security  `toml:"security"`
	Behaviour Behaviour `toml:"behaviour"` // what requests for this number meet; empty for as-held
	Situation string    `toml:"situation"` // one line: what is special
}

// People are those whom every platform knows besides the Spine's children.
// None of them exists. docs/simulator.md lists them.
func People() []Person {
	return []Person{
		{NHSNumber: "9990030014", State: Superseded, ReplacedBy: "9990000018", Situation: "superseded by 9990000018"},
		{NHSNumber: "9990030022", State: Superseded, ReplacedBy: "9990000034", Situation: "superseded by 9990000034, who has no record in CP-IS"},
		{NHSNumber: "9990030030", State: Invalidated, Situation: "invalidated"},
		{NHSNumber: "9990030049", State: Unknown, Situation: "unknown to PDS"},
		{NHSNumber: "9990030057", Given: "Marlow", Family: "Hidewell", Birth: "2016-04-09", Security: Restricted, Situation: "restricted"},
		{NHSNumber: "9990030065", Given: "Linden", Family: "Veilstone", Birth: "2014-11-30", Security: VeryRestricted, Situation: "very restricted"},
		{NHSNumber: "9990030073", Given: "Aspen", Family: "Blankfield", Birth: "2018-02-28", Security: Redacted, Situation: "redacted"},
		{NHSNumber: "9990030081", Given: "Sorrel", Family: "Undated", Situation: "no birth date"},
		{NHSNumber: "9990030103", Given: "Briar", Family: "Yearling", Birth: "2015", Situation: "birth date of a year alone"},
		{NHSNumber: "9990030111", Given: "Hazel", Family: "Monthly", Birth: "2015-06", Situation: "birth date of a year and a month"},
		{NHSNumber: "9990030138", Given: "Fern", Family: "Ordinary", Birth: "2013-09-17", Situation: "in use, and unknown to CP-IS"},
	}
}

var birthForm = regexp.MustCompile(`^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$`)

// validate returns what is wrong with a person, as a sentence.
func (p Person) validate() error {
	if !spinesim.TestNumber(p.NHSNumber) {
		return fmt.Errorf("the person %q has an NHS number outside the test range: it must be ten digits beginning with 999 that pass Modulus 11", p.Situation)
	}
	if p.Birth != "" && !birthForm.MatchString(p.Birth) {
		return fmt.Errorf("the person %s has a birth date that is not yyyy-MM-dd, yyyy-MM or yyyy", p.NHSNumber)
	}
	switch p.State {
	case InUse, Invalidated, Unknown:
		if p.ReplacedBy != "" {
			return fmt.Errorf("the person %s is replaced by another number but not superseded", p.NHSNumber)
		}
	case Superseded:
		if !spinesim.TestNumber(p.ReplacedBy) || p.ReplacedBy == p.NHSNumber {
			return fmt.Errorf("the person %s is superseded by a number outside the test range, or by the same", p.NHSNumber)
		}
	default:
		return fmt.Errorf("the person %s has the state %q; the states are superseded, invalidated and unknown", p.NHSNumber, p.State)
	}
	switch p.Security {
	case "", Unrestricted, Restricted, VeryRestricted, Redacted:
	default:
		return fmt.Errorf("the person %s has the security %q; the codes are U, R, V and REDACTED", p.NHSNumber, p.Security)
	}
	b, known := catalogue()[p.Behaviour]
	if p.Behaviour != "" && (!known || !b.of(Patient)) {
		return fmt.Errorf("the person %s has the behaviour %q, which PDS does not have", p.NHSNumber, p.Behaviour)
	}
	return nil
}

// register is whom PDS knows. Nobody changes it.
type register struct {
	people map[string]Person
	spine  *spinesim.Simulator
}

func newRegister(cfg Config) (*register, error) {
	r := &register{people: map[string]Person{}, spine: cfg.Spine}
	for _, p := range People() {
		r.people[p.NHSNumber] = p
	}
	configured := map[string]bool{}
	for _, p := range cfg.People {
		err := p.validate()
		if err != nil {
			return nil, err
		}
		if configured[p.NHSNumber] {
			return nil, fmt.Errorf("the NHS number %s is given to two people", p.NHSNumber)
		}
		configured[p.NHSNumber] = true
		r.people[p.NHSNumber] = p
	}
	return r, nil
}

func (r *register) behaviour(number string) Behaviour {
	p := r.people[number]
	if p.Behaviour == "" {
		return AsHeld
	}
	return p.Behaviour
}

// find gives a person: the register's own, else the Spine's child of that
// number. Whoever is superseded is found as such.
func (r *register) find(number string) Person {
	p, found := r.people[number]
	if found {
		return p
	}
	if r.spine == nil {
		return Person{NHSNumber: number, State: Unknown}
	}
	child, found := r.spine.Child(number)
	if !found {
		return Person{NHSNumber: number, State: Unknown}
	}
	p = Person{NHSNumber: number, Given: child.Given, Family: child.Family}
	birth, err := time.Parse("20060102", child.Birth)
	if err == nil {
		p.Birth = birth.Format(time.DateOnly)
	}
	return p
}

// Person gives what PDS holds under a number, without its being asked: its
// state is Unknown for a number that nobody has.
func (p *Platform) Person(number string) Person { return p.register.find(number) }
