package spinesim

// ChildView is a child as a query made now would meet it.
type ChildView struct {
	NHSNumber string    `json:"nhs_number"`
	Given     string    `json:"given"`
	Family    string    `json:"family"`
	Birth     string    `json:"birth"` // yyyyMMdd
	Situation string    `json:"situation"`
	Behaviour Behaviour `json:"behaviour"`

	// Code is the SMSP response code that a provider should answer with.
	Code string `json:"code"`

	// AsyncCode is the one in the asynchronous pattern.
	AsyncCode string `json:"async_code"`

	// Records are the visible ones.
	Records []RecordView `json:"records"`

	// Accesses is the length of the history before the next query.
	Accesses int `json:"accesses"`
}

// RecordView is one visible record.
type RecordView struct {
	AuthorityCode string     `json:"authority_code"`
	AuthorityName string     `json:"authority_name"`
	OfficeHours   string     `json:"office_hours,omitempty"`   // with tel:
	EmergencyDuty string     `json:"emergency_duty,omitempty"` // with tel:
	LocalID       string     `json:"local_id,omitempty"`
	Plans         []PlanView `json:"plans"`
}

// PlanView is one visible plan; times are yyyyMMddHHmm, End empty for none.
type PlanView struct {
	Type  PlanType `json:"type"`
	Start string   `json:"start"`
	End   string   `json:"end,omitempty"`
}

// Child looks a child up without its being a query.
func (s *Simulator) Child(nhsNumber string) (ChildView, bool) {
	s.store.mu.Lock()
	c, found := s.store.child(nhsNumber)
	s.store.mu.Unlock()
	if !found {
		return ChildView{}, false
	}
	return s.view(c), true
}

// Children lists the cast, the children bound to behaviours, the configured
// ones, and as many generated ones as the limit leaves room for; 0 for all.
func (s *Simulator) Children(limit int) []ChildView {
	numbers := s.store.order
	room := lastGenerated
	if limit > 0 {
		room = max(0, limit-len(numbers))
		numbers = numbers[:min(limit, len(numbers))]
	}
	views := make([]ChildView, 0, len(numbers))
	for _, number := range append(append([]string{}, numbers...), s.store.generated.numbers(room)...) {
		view, found := s.Child(number)
		if found {
			views = append(views, view)
		}
	}
	return views
}

func (s *Simulator) view(c Child) ChildView {
	today := civilDay(s.cfg.Clock(), s.store.zone)
	records, history := s.store.look(c.NHSNumber)
	v := ChildView{
		NHSNumber: c.NHSNumber,
		Given:     c.Given,
		Family:    c.Family,
		Situation: c.Situation,
		Behaviour: c.Behaviour,
		Code:      s.expectedCode(c, len(records), false),
		AsyncCode: s.expectedCode(c, len(records), true),
		Records:   make([]RecordView, 0, len(records)),
		Accesses:  len(history),
	}
	if v.Behaviour == "" {
		v.Behaviour = AsStored
	}
	if c.Birth != "" {
		v.Birth = c.Birth.on(today)[:8]
	}
	for _, r := range records {
		v.Records = append(v.Records, viewRecord(r))
	}
	return v
}

func (s *Simulator) expectedCode(c Child, records int, async bool) string {
	b, bound := s.behaviours[c.Behaviour]
	code := b.Code
	if async {
		code = b.AsyncCode
	}
	switch {
	case bound && (b.compose == nil || code != codeFound):
		return code
	case records == 0:
		return codeNoRecord
	default:
		return codeFound
	}
}

func viewRecord(r visibleRecord) RecordView {
	v := RecordView{
		AuthorityCode: r.authority.Code,
		AuthorityName: r.authority.Name,
		OfficeHours:   r.authority.OfficeHours,
		EmergencyDuty: r.authority.EmergencyDuty,
		LocalID:       r.localID,
	}
	for _, p := range r.plans {
		v.Plans = append(v.Plans, PlanView{Type: p.kind, Start: p.start, End: p.end})
	}
	return v
}
