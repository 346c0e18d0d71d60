package platform

import (
	"net/http"
	"regexp"
)

// object is a JSON object. The platform writes its documents as such, so that
// a behaviour can change any part of them.
type object = map[string]any

const fhirJSON = "application/fhir+json"

var uuidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$`)

// outcome is an OperationOutcome with one issue.
func outcome(issue, code, text string) object {
	return object{
		"resourceType": "OperationOutcome",
		"issue": []object{{
			"severity": "error",
			"code":     issue,
			"details": object{"coding": []object{{
				"system":  "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode",
				"version": "1",
				"code":    code,
				"display": text,
			}}},
			"diagnostics": text,
		}},
	}
}

func refused(status int, issue, code, text string) answer {
	return answer{status: status, mediaType: fhirJSON, document: outcome(issue, code, text)}
}

// failure is a status with the error body that the service has for it.
func failure(s Service, status int, text string) answer {
	switch s {
	case Token:
		return answer{status: status, mediaType: "application/json", document: object{"error": "server_error", "error_description": text}}
	case Device, Endpoint, Patient:
		issue, code := codesOf(status)
		return refused(status, issue, code, text)
	default:
		return answer{status: status, mediaType: "text/plain; charset=utf-8", raw: []byte(text + "\n")}
	}
}

// codesOf are the codes that stand in an OperationOutcome under a status.
func codesOf(status int) (issue, code string) {
	switch status {
	case http.StatusBadRequest:
		return "value", "INVALID_VALUE"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "forbidden", "ACCESS_DENIED"
	case http.StatusNotFound:
		return "not-found", "RESOURCE_NOT_FOUND"
	case http.StatusRequestTimeout:
		return "timeout", "UNABLE_TO_CALL_SERVICE"
	case http.StatusTooManyRequests:
		return "throttled", "TOO_MANY_REQUESTS"
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return "not-supported", "UNSUPPORTED_SERVICE"
	default:
		return "exception", "SERVER_ERROR"
	}
}
