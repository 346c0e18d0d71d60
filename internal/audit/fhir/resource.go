package fhir

// The elements of R4 that are used, in the order of its definition. An empty
// element is left out; FHIR forbids it.
type (
	auditEvent struct {
		ResourceType   string    `json:"resourceType"`
		Type           coding    `json:"type"`
		Subtype        []coding  `json:"subtype,omitempty"`
		Action         string    `json:"action,omitempty"`
		Recorded       string    `json:"recorded"`
		Outcome        string    `json:"outcome,omitempty"`
		OutcomeDesc    string    `json:"outcomeDesc,omitempty"`
		PurposeOfEvent []concept `json:"purposeOfEvent,omitempty"`
		Agent          []agent   `json:"agent"`
		Source         source    `json:"source"`
		Entity         []entity  `json:"entity,omitempty"`
	}

	agent struct {
		Type      *concept  `json:"type,omitempty"`
		Role      []concept `json:"role,omitempty"`
		Who       reference `json:"who"`
		AltID     string    `json:"altId,omitempty"`
		Name      string    `json:"name,omitempty"`
		Requestor bool      `json:"requestor"`
		Network   *network  `json:"network,omitempty"`
	}

	network struct {
		Address string `json:"address"`
		Type    string `json:"type"`
	}

	source struct {
		Site     string    `json:"site,omitempty"`
		Observer reference `json:"observer"`
		Type     []coding  `json:"type"`
	}

	entity struct {
		What      *reference `json:"what,omitempty"`
		Type      *coding    `json:"type,omitempty"`
		Role      *coding    `json:"role,omitempty"`
		Lifecycle *coding    `json:"lifecycle,omitempty"`
		Name      string     `json:"name,omitempty"`
		Query     []byte     `json:"query,omitempty"` // JSON has it in base64, as FHIR does
		Detail    []detail   `json:"detail,omitempty"`
	}

	detail struct {
		Type        string `json:"type"`
		ValueString string `json:"valueString"`
	}

	reference struct {
		Type       string      `json:"type,omitempty"`
		Identifier *identifier `json:"identifier,omitempty"`
		Display    string      `json:"display,omitempty"`
	}

	identifier struct {
		System string `json:"system,omitempty"`
		Value  string `json:"value"`
	}

	concept struct {
		Coding []coding `json:"coding,omitempty"`
		Text   string   `json:"text,omitempty"`
	}

	coding struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
)
