package platform

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"github.com/wardsmsp/ward/internal/spinesim"
)

// patient answers GET /Patient/{number}.
func (p *Platform) patient(r *http.Request) answer {
	apiKey := p.tokens.bearer(r.Header.Get("Authorization"))
	if apiKey == "" {
		return refused(http.StatusUnauthorized, "forbidden", "ACCESS_DENIED", "The bearer token is missing, unknown, expired or revoked.")
	}
	id := r.Header.Get("X-Request-ID")
	if id == "" {
		return refused(http.StatusBadRequest, "required", "MISSING_VALUE", "The header X-Request-ID is missing.")
	}
	correlation := r.Header.Get("X-Correlation-ID")
	if !uuidForm.MatchString(id) || correlation != "" && !uuidForm.MatchString(correlation) {
		return refused(http.StatusBadRequest, "value", "INVALID_VALUE", "The header X-Request-ID or X-Correlation-ID is not a UUID.")
	}
	if !p.tokens.within(apiKey) {
		p.evidence.count(func(c *Counters) { c.RateLimited++ })
		a := failure(Patient, http.StatusTooManyRequests, "The application asks more often than its rate allows.")
		a.header("Retry-After", "1")
		return a
	}
	return p.about(r.PathValue("key"))
}

// about is the answer about a number.
func (p *Platform) about(number string) answer {
	if !spinesim.ValidNumber(number) {
		return refused(http.StatusBadRequest, "value", "INVALID_RESOURCE_ID", "The resource id is not an NHS number.")
	}
	person := p.register.find(number)
	if person.State == Superseded {
		person = p.register.find(person.ReplacedBy)
	}
	switch person.State {
	case InUse:
		a := answer{status: http.StatusOK, mediaType: fhirJSON, document: person.resource()}
		a.header("ETag", `W/"2"`)
		return a
	case Invalidated:
		return refused(http.StatusNotFound, "processing", "INVALIDATED_RESOURCE", "The resource was marked as invalid.")
	default:
		return refused(http.StatusNotFound, "not-found", "RESOURCE_NOT_FOUND", "Nobody has that number.")
	}
}

// resource is the FHIR Patient, with all that PDS tells about a person and a
// check of a number does not need.
func (p Person) resource() object {
	security := p.Security
	if security == "" {
		security = Unrestricted
	}
	resource := object{
		"resourceType": "Patient",
		"id":           p.NHSNumber,
		"meta": object{"versionId": "2", "security": []object{{
			"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": string(security), "display": security.display(),
		}}},
		"identifier": []object{{
			"system": numberSystem, "value": p.NHSNumber,
			"extension": []object{{
				"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
				"valueCodeableConcept": object{"coding": []object{{
					"system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus", "code": "01", "display": "Number present and verified",
				}}},
			}},
		}},
		"gender": "unknown",
	}
	if p.Family != "" {
		resource["name"] = []object{{
			"id": "1", "use": "usual", "family": p.Family, "given": strings.Fields(p.Given), "period": object{"start": "2012-01-01"},
		}}
	}
	if p.Birth != "" {
		resource["birthDate"] = p.Birth
	}
	if security == Unrestricted {
		p.whereabouts(resource)
	}
	return resource
}

// whereabouts adds what a restricted person comes without. Postcode and
// telephone numbers are of the ranges kept for what does not exist.
func (p Person) whereabouts(resource object) {
	house := p.NHSNumber[6:9]
	resource["address"] = []object{{
		"id": "2", "use": "home", "period": object{"start": "2012-01-01"},
		"line": []string{house + " Invention Street", "Nowhere Green", "WESTMARCH"}, "postalCode": "ZZ99 3VZ",
	}}
	resource["telecom"] = []object{
		{"id": "3", "use": "home", "system": "phone", "value": "01632960" + house},
		{"id": "4", "use": "mobile", "system": "email", "value": "person" + p.NHSNumber + "@example.org"},
	}
	resource["contact"] = []object{{
		"id": "5", "relationship": []object{{"coding": []object{{"system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "C", "display": "Emergency Contact"}}}},
		"name":    object{"family": "Nextofkin", "given": []string{"Pat"}},
		"telecom": []object{{"system": "phone", "value": "07700900" + house}},
	}}
	resource["generalPractitioner"] = []object{{
		"id": "6", "type": "Organization", "identifier": identifier(organisationSystem, "Z99999"),
	}}
}

func (s Security) display() string {
	switch s {
	case Restricted:
		return "restricted"
	case VeryRestricted:
		return "very restricted"
	case Redacted:
		return "redacted"
	default:
		return "unrestricted"
	}
}

// uuidOf is a UUID that follows from a name, so that the same record has the
// same id.
func uuidOf(name string) string {
	h := sha256.Sum256([]byte(name))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
