package platform

import (
	"errors"
	"fmt"
	"hash/fnv"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Systems of identifiers.
const (
	organisationSystem = "https://fhir.nhs.uk/Id/ods-organization-code"
	interactionSystem  = "https://fhir.nhs.uk/Id/nhsServiceInteractionId"
	partyKeySystem     = "https://fhir.nhs.uk/Id/nhsMhsPartyKey"
	asidSystem         = "https://fhir.nhs.uk/Id/nhsSpineASID"
	fqdnSystem         = "https://fhir.nhs.uk/Id/nhsMhsFQDN"
	mhsIDSystem        = "https://fhir.nhs.uk/Id/nhsMHSId"
	cpaIDSystem        = "https://fhir.nhs.uk/Id/nhsMhsCPAId"
	numberSystem       = "https://fhir.nhs.uk/Id/nhs-number"
)

const contractExtension = "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-ReliabilityConfiguration"

// lookUp is a question to the directory.
type lookUp struct {
	organisation, interaction, partyKey string
}

// parseLookUp reads the parameters organization and identifier, each
// system|value, and nothing else. The error comes with what could be read.
func parseLookUp(raw string) (q lookUp, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the parameters cannot be read")
	}
	fields := map[string]*string{organisationSystem: &q.organisation, interactionSystem: &q.interaction, partyKeySystem: &q.partyKey}
	for name, all := range values {
		if name != "organization" && name != "identifier" {
			return q, errors.New("there is a parameter other than organization and identifier")
		}
		for _, v := range all {
			system, value, _ := strings.Cut(v, "|")
			field := fields[system]
			if field == nil || (system == organisationSystem) != (name == "organization") {
				return q, fmt.Errorf("the parameter %s has a system that it may not have", name)
			}
			if !tokenForm.MatchString(value) {
				return q, fmt.Errorf("the parameter %s has no value that can be looked up", name)
			}
			if *field != "" {
				return q, fmt.Errorf("the parameter %s is given twice for one system", name)
			}
			*field = value
		}
	}
	return q, nil
}

// device answers GET /Device: the accredited systems of an organisation for an
// interaction.
func (p *Platform) device(r *http.Request) answer {
	q, a, refused := p.admitLookUp(Device, r)
	if refused {
		return a
	}
	if q.organisation == "" || q.interaction == "" {
		return lookUpRefused("MISSING_VALUE", "organization and the identifier nhsServiceInteractionId are required")
	}
	mode, records := p.directory.get()
	if mode == Random {
		records.Systems = []System{q.inventedSystem()}
	}
	var found []object
	for _, s := range records.Systems {
		if s.Organisation == q.organisation && slices.Contains(s.Interactions, q.interaction) && (q.partyKey == "" || s.PartyKey == q.partyKey) {
			found = append(found, s.resource())
		}
	}
	return p.bundle(r, found)
}

// endpoint answers GET /Endpoint: message handling systems by any two of
// organisation, interaction and party key.
func (p *Platform) endpoint(r *http.Request) answer {
	q, a, refused := p.admitLookUp(Endpoint, r)
	if refused {
		return a
	}
	given := 0
	for _, v := range []string{q.organisation, q.interaction, q.partyKey} {
		if v != "" {
			given++
		}
	}
	if given < 2 {
		return lookUpRefused("MISSING_VALUE", "two of organization and the identifiers nhsServiceInteractionId and nhsMhsPartyKey are required")
	}
	mode, _ := p.directory.get()
	records := p.Directory().Endpoints
	if mode == Random {
		records = []MHS{q.inventedMHS("https://" + p.Addr() + "/invented")}
	}
	var found []object
	for _, m := range records {
		if (q.organisation == "" || m.Organisation == q.organisation) &&
			(q.interaction == "" || m.Interaction == q.interaction) &&
			(q.partyKey == "" || m.PartyKey == q.partyKey) {
			found = append(found, m.resource())
		}
	}
	return p.bundle(r, found)
}

// admitLookUp applies what holds for both: mode, key, media type, parameters.
func (p *Platform) admitLookUp(s Service, r *http.Request) (q lookUp, a answer, refused bool) {
	mode, _ := p.directory.get()
	if mode == Failing {
		return q, failure(s, http.StatusBadGateway, "The directory fails, because its mode wants it."), true
	}
	known := func(app Application) bool { return app.APIKey == r.Header.Get("apikey") }
	if !slices.ContainsFunc(p.cfg.Applications, known) {
		return q, failure(s, http.StatusUnauthorized, "The header apikey is missing or not the key of an application."), true
	}
	if !acceptsFHIR(r.Header.Values("Accept")) {
		return q, failure(s, http.StatusNotAcceptable, "The directory answers application/fhir+json."), true
	}
	correlation := r.Header.Get("X-Correlation-ID")
	if correlation != "" && !uuidForm.MatchString(correlation) {
		return q, lookUpRefused("INVALID_VALUE", "the header X-Correlation-Id is not a UUID"), true
	}
	q, err := parseLookUp(r.URL.RawQuery)
	if err != nil {
		return q, lookUpRefused("INVALID_VALUE", err.Error()), true
	}
	return q, answer{}, false
}

func lookUpRefused(code, text string) answer {
	return refused(http.StatusBadRequest, "value", code, "The look-up is refused: "+text+".")
}

func acceptsFHIR(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		mediaType, _, err := mime.ParseMediaType(part)
		if err == nil && slices.Contains([]string{"*/*", "application/*", fhirJSON, "application/json"}, mediaType) {
			return true
		}
	}
	return false
}

// bundle is a search set with the resources found, none or more.
func (p *Platform) bundle(r *http.Request, found []object) answer {
	entries := make([]object, 0, len(found))
	for _, resource := range found {
		entries = append(entries, object{
			"fullUrl":  fmt.Sprintf("%s/%s/%s", p.DirectoryURL(), resource["resourceType"], resource["id"]),
			"resource": resource,
			"search":   object{"mode": "match"},
		})
	}
	return answer{status: http.StatusOK, mediaType: fhirJSON, document: object{
		"resourceType": "Bundle",
		"id":           uuidOf("bundle " + r.URL.RawQuery),
		"type":         "searchset",
		"total":        len(entries),
		"link":         []object{{"relation": "self", "url": "https://" + p.Addr() + r.URL.RequestURI()}},
		"entry":        entries,
	}}
}

func (s System) resource() object {
	return object{
		"resourceType": "Device",
		"id":           uuidOf("device " + s.ASID),
		"identifier":   []object{identifier(asidSystem, s.ASID), identifier(partyKeySystem, s.PartyKey)},
		"owner":        object{"identifier": identifier(organisationSystem, s.Organisation)},
	}
}

func (m MHS) resource() object {
	resource := object{
		"resourceType": "Endpoint",
		"id":           uuidOf("endpoint " + m.ID),
		"extension": []object{
			{"url": contractExtension, "extension": m.Contract.extensions()},
			{
				"url":            "https://fhir.nhs.uk/StructureDefinition/Extension-SDS-NhsServiceInteractionId",
				"valueReference": object{"identifier": identifier(interactionSystem, m.Interaction)},
			},
		},
		"status": "active",
		"connectionType": object{
			"system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-msg", "display": "HL7 FHIR Messaging",
		},
		"payloadType": []object{{"coding": []object{{
			"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "any", "display": "Any",
		}}}},
		"managingOrganization": object{"identifier": identifier(organisationSystem, m.Organisation)},
		"identifier": []object{
			identifier(fqdnSystem, m.FQDN), identifier(mhsIDSystem, m.ID),
			identifier(partyKeySystem, m.PartyKey), identifier(cpaIDSystem, m.CPAID),
		},
	}
	if m.Address != "" {
		resource["address"] = m.Address
	}
	return resource
}

// extensions are the contract's properties that the record has.
func (c Contract) extensions() []object {
	all := []object{}
	for _, property := range [][2]string{
		{"nhsMHSSyncReplyMode", c.SyncReply}, {"nhsMHSRetryInterval", c.RetryInterval},
		{"nhsMHSPersistDuration", c.PersistDuration}, {"nhsMHSDuplicateElimination", c.DuplicateElimination},
		{"nhsMHSAckRequested", c.AckRequested}, {"nhsMHSActor", c.Actor},
	} {
		if property[1] != "" {
			all = append(all, object{"url": property[0], "valueString": property[1]})
		}
	}
	retries, err := strconv.Atoi(c.Retries)
	switch {
	case err == nil:
		all = append(all, object{"url": "nhsMHSRetries", "valueInteger": retries})
	case c.Retries != "": // wrong on purpose
		all = append(all, object{"url": "nhsMHSRetries", "valueString": c.Retries})
	}
	return all
}

func identifier(system, value string) object {
	return object{"system": system, "value": value}
}

// inventedSystem and inventedMHS follow from the question alone.
func (q lookUp) inventedSystem() System {
	key := q.partyKey
	if key == "" {
		key = fmt.Sprintf("%s-%07d", q.organisation, q.hash()%10_000_000)
	}
	return System{
		ASID: fmt.Sprintf("9999%08d", q.hash()%100_000_000), Organisation: q.organisation,
		PartyKey: key, Interactions: []string{q.interaction},
	}
}

func (q lookUp) inventedMHS(address string) MHS {
	contracts := []Contract{SyncContract(), UnreliableContract(), ReliableContract()}
	id := fmt.Sprintf("S9999%08dA%04d", q.hash()%100_000_000, q.hash()%10_000)
	m := MHS{
		ID: id, CPAID: id, FQDN: "localhost", Address: address,
		Organisation: q.organisation, Interaction: q.interaction, PartyKey: q.partyKey,
		Contract: contracts[q.hash()%3],
	}
	for field, standard := range map[*string]string{&m.Organisation: "X99", &m.Interaction: QueryInteraction, &m.PartyKey: q.inventedSystem().PartyKey} {
		if *field == "" {
			*field = standard
		}
	}
	return m
}

func (q lookUp) hash() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q", q.organisation, q.interaction)
	return h.Sum64()
}

// eachResource changes every resource of a bundle.
func eachResource(bundle object, change func(object)) {
	entries, _ := bundle["entry"].([]object)
	for _, e := range entries {
		resource, found := e["resource"].(object)
		if found {
			change(resource)
		}
	}
}

// secondEntry adds a record of the first one's kind with other values.
func secondEntry(bundle object) {
	entries, _ := bundle["entry"].([]object)
	if len(entries) == 0 {
		return
	}
	second := System{ASID: "999900000099", PartyKey: "X99-0000099", Organisation: "X99"}.resource()
	first, _ := entries[0]["resource"].(object)
	if first["resourceType"] == "Endpoint" {
		c := UnreliableContract()
		c.Actor = "urn:ward:test:second"
		second = MHS{
			ID: "S9990000099A0099", CPAID: "S9990000099A0099", Organisation: "X99", PartyKey: "X99-0000099",
			Interaction: QueryInteraction, Address: "https://localhost/second", FQDN: "localhost", Contract: c,
		}.resource()
	}
	bundle["entry"] = append(entries, object{"fullUrl": "urn:uuid:" + uuidOf("second"), "resource": second, "search": object{"mode": "match"}})
	bundle["total"] = len(entries) + 1
}
