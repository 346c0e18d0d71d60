// Package itk is the client-facing wire: the CP-IS query and its answer as SOAP
// messages around a DistributionEnvelope 2.0, and the faults of the
// Interoperability Toolkit. Decoding validates: what ReadRequest returns has
// passed every rule of the table in rules.go.
package itk

import "github.com/wardsmsp/ward/cpis"

// Namespace is that of the DistributionEnvelope and of ToolkitErrorInfo.
const Namespace = "urn:nhs-itk:ns:201005"

// Names of the service, the interactions and the profiles.
const (
	RequestService      = "urn:nhs-itk:services:201005:sendRecvDistEnvelope"
	ResponseService     = RequestService + "Response"
	InteractionKey      = "urn:nhs-itk:ns:201005:interaction"
	RequestInteraction  = "urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"
	ResponseInteraction = "urn:nhs-itk:interaction:SMSP-CP-ISNHSQueryResponse-v1-0"
	RequestProfile      = "urn:nhs-en:profile:CP-ISNHSQuery-v1-0"
	ResponseProfile     = "urn:nhs-en:profile:SMSP-CP-ISNHSQueryResponse-v1-0"

	// NotificationKey names Ward's own handling entry that says whether the local
	// authority was notified: "notified", "none" or "unknown" (WRD-RC-14).
	NotificationKey = "urn:x-cpis-smsp:notification"
	// OutcomeKey names that of the outcome, in an answer that nothing was asked and
	// whose code leaves open why.
	OutcomeKey = "urn:x-cpis-smsp:outcome"
	// ReplacementKey names that of the NHS number that took the place of the one
	// asked about (MSCA-DQ-03).
	ReplacementKey = "urn:x-cpis-smsp:replacement-number"
	// DemographicsKey names that of what the demographics service said of the number
	// before CP-IS was asked: as cpis.Verification has it (WRD-PDS-04).
	DemographicsKey = "urn:x-cpis-smsp:demographics"

	// BirthDateKey names Ward's own handling entry of a question, yyyy-MM-dd. It is
	// for the demographics service alone and never goes to CP-IS (WRD-PDS-03).
	BirthDateKey = "urn:x-cpis-smsp:date-of-birth"
)

// Prefixes and types of identities and addresses.
const (
	IdentityPrefix = "urn:nhs-uk:identity:"
	AddressPrefix  = "urn:nhs-uk:addressing:"
	IdentityType   = cpis.OIDToolkitIdentity
	AddressType    = "2.16.840.1.113883.2.1.3.2.4.18.22"

	errorCodeSystem = "2.16.840.1.113883.2.1.3.2.4.17.268"

	instance = "http://www.w3.org/2001/XMLSchema-instance"
)
