package shown

// version is that of the form. Each one stays readable by every later release.
const version = 1

// The form as it is read, in the order in which it is written. docs/audit-log.md
// describes it.
type (
	said struct {
		Version      int      `json:"v"`
		ID           string   `json:"id"`
		Time         moment   `json:"time"`
		Records      []record `json:"records"`
		Accesses     []access `json:"accesses"`
		Replacement  string   `json:"replacement"`
		Verification string   `json:"verification"`
	}

	record struct {
		LocalAuthority localAuthority `json:"local_authority"`
		Plans          []plan         `json:"plans"`
		Subjects       []subject      `json:"subjects"`
	}

	localAuthority struct {
		organisation
		Telecoms []telecom `json:"telecoms"`
	}

	telecom struct {
		Use   string `json:"use"`
		Value string `json:"value"`
	}

	plan struct {
		Type  string   `json:"type"`
		Start string   `json:"start"`
		End   string   `json:"end"`
		Form  planForm `json:"form"`
	}

	planForm struct {
		Template     string `json:"template"`
		Class        string `json:"class"`
		StartElement string `json:"start_element"`
		EndElement   string `json:"end_element"`
	}

	subject struct {
		Mother bool         `json:"mother"`
		IDs    []identifier `json:"ids"`
		Birth  moment       `json:"birth"`
		Name   personName   `json:"name"`
	}

	access struct {
		ID     string  `json:"id"`
		Time   moment  `json:"time"`
		Number string  `json:"nhs_number"`
		Person *person `json:"person"`
		System *system `json:"system"`
	}

	person struct {
		IDs         []identifier `json:"ids"`
		Role        coded        `json:"role"`
		Name        personName   `json:"name"`
		Represented organisation `json:"organisation"`
	}

	system struct {
		ASID        string       `json:"asid"`
		Authorities []authority  `json:"authorities"`
		Maintaining organisation `json:"organisation"`
	}

	authority struct {
		Role coded      `json:"role"`
		Name personName `json:"name"`
	}

	organisation struct {
		ID   identifier `json:"id"`
		Name string     `json:"name"`
	}

	identifier struct {
		Root      string `json:"root"`
		Extension string `json:"extension"`
		Authority string `json:"authority"`
	}

	coded struct {
		Code    string `json:"code"`
		System  string `json:"system"`
		Display string `json:"display"`
	}

	personName struct {
		Use   string     `json:"use"`
		Parts []namePart `json:"parts"`
	}

	namePart struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
	}

	moment struct {
		Written     string `json:"written"`
		Unix        *int64 `json:"unix"`
		Precision   string `json:"precision"`
		ZoneAssumed bool   `json:"zone_assumed"`
	}
)
