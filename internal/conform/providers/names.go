package providers

// Names of the wire, written down here once more: a suite that took them from the
// code that it tests would not see a slip in them.
const (
	nsSOAP       = "http://schemas.xmlsoap.org/soap/envelope/"
	nsSOAP12     = "http://www.w3.org/2003/05/soap-envelope"
	nsAddressing = "http://www.w3.org/2005/08/addressing"
	nsAddressed4 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	nsSecurity   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsUtility    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	nsITK        = "urn:nhs-itk:ns:201005"
	nsHL7        = "urn:hl7-org:v3"
	nsLocal      = "NPFIT:HL7:Localisation"
	nsInstance   = "http://www.w3.org/2001/XMLSchema-instance"

	anonymous   = nsAddressing + "/anonymous"
	faultAction = nsAddressing + "/soap/fault"

	requestService      = "urn:nhs-itk:services:201005:sendRecvDistEnvelope"
	responseService     = requestService + "Response"
	interactionKey      = nsITK + ":interaction"
	notificationKey     = "urn:x-cpis-smsp:notification"
	requestInteraction  = "urn:nhs-itk:interaction:CP-ISNHSQuery-v1-0"
	responseInteraction = "urn:nhs-itk:interaction:SMSP-CP-ISNHSQueryResponse-v1-0"
	requestProfile      = "urn:nhs-en:profile:CP-ISNHSQuery-v1-0"
	responseProfile     = "urn:nhs-en:profile:SMSP-CP-ISNHSQueryResponse-v1-0"

	identityPrefix = "urn:nhs-uk:identity:ods:"
	addressPrefix  = "urn:nhs-uk:addressing:ods:"

	oidIdentity  = "2.16.840.1.113883.2.1.3.2.4.18.27"
	oidAddress   = "2.16.840.1.113883.2.1.3.2.4.18.22"
	oidContentID = "2.16.840.1.113883.2.1.3.2.4.18.16"
	oidErrors    = "2.16.840.1.113883.2.1.3.2.4.17.268"
	oidCodes     = "2.16.840.1.113883.2.1.3.2.4.17.499"
	oidNHSNumber = "2.16.840.1.113883.2.1.4.1"
	oidUserID    = "1.2.826.0.1285.0.2.0.65"
	oidProfile   = "1.2.826.0.1285.0.2.0.67"
	oidASID      = "1.2.826.0.1285.0.2.0.107"
)
