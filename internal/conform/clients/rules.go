package clients

// demand is what a client's message must be, as the report says it.
type demand struct {
	name         string // completes the id of the case
	want         string
	requirements []string
}

// demands has one entry for each rule of package itk.
var demands = map[string]demand{
	"N1":  {"soap-version", "The message is SOAP 1.1.", []string{"WRD-VAL-02", "WRD-MSG-01"}},
	"N2":  {"must-understand", "No header block outside WS-Addressing and WS-Security demands to be understood.", []string{"WRD-MSG-18"}},
	"N3":  {"manifest-matches", "Each manifest item has a payload with its id.", []string{"WRD-VAL-08"}},
	"N4":  {"manifest-count", "The manifest count is the number of manifest items.", []string{"WRD-VAL-08"}},
	"N5":  {"payloads-count", "The payloads count is the number of payloads.", []string{"WRD-VAL-08"}},
	"N6":  {"counts-agree", "The manifest and the payloads are of one number.", []string{"WRD-VAL-08"}},
	"N7":  {"payload-id", "Each payload has an id.", []string{"WRD-VAL-08"}},
	"N8":  {"timestamp-form", "Created and Expires stand once, in the permitted form.", []string{"WRD-VAL-10"}},
	"N9":  {"timestamp", "One wsse:Security holds one wsu:Timestamp.", []string{"WRD-VAL-10"}},
	"N10": {"lifetime", "The message is sent between Created and Expires, at most 24 hours apart.", []string{"WRD-VAL-10"}},
	"N11": {"blank-attributes", "No attribute is empty.", []string{"WRD-VAL-04"}},
	"N12": {"username", "One wsse:UsernameToken holds one user name.", []string{"WRD-VAL-12"}},
	"N13": {"username-registered", "The user name is the registered one.", []string{"WRD-VAL-12", "WRD-IAM-03"}},
	"N15": {"service", "The service of the DistributionEnvelope equals wsa:Action.", []string{"WRD-VAL-06"}},
	"N16": {"action", "wsa:Action is the service of the CP-IS query.", []string{"WRD-MSG-02"}},
	"L1":  {"soapaction", "A SOAPAction header, if there is one, equals wsa:Action.", []string{"WRD-MSG-15"}},
	"N17": {"profile", "The profile id is one of the CP-IS query.", []string{"WRD-MSG-04", "WRD-VAL-09"}},
	"N18": {"audit-identity", "An audit identity names the user or system at the registered organisation, and each is well formed.",
		[]string{"COR-DEH-03", "COR-DEH-04.1", "COR-DEH-04.2", "COR-DEH-04.4", "COR-DEH-04.5", "COR-DEH-04.7"}},
	"N19": {"envelope", "The DistributionEnvelope is valid; its tracking id is an upper-case UUID.", []string{"WRD-VAL-03", "WRD-VAL-07"}},
	"N20": {"to", "wsa:To stands once.", []string{"WRD-VAL-05"}},
	"N21": {"to-ours", "wsa:To is the agreed address.", []string{"WRD-VAL-05"}},
	"N22": {"reply-to", "wsa:ReplyTo, if there is one, is the anonymous address.", []string{"WRD-VAL-11"}},
	"N23": {"message-id", "wsa:MessageID stands once and is a UUID.", []string{"WS-ADR-01a"}},
	"N24": {"ids-differ", "The ids of the message, the timestamp, the tracking and the manifest differ.", []string{"WS-ADR-01a", "WRD-VAL-03"}},
	"N25": {"from", "wsa:From holds no reference properties or parameters.", []string{"WS-ADR-08"}},
	"N26": {"mimetype", "The mimetype of the payload is text/xml.", []string{"WRD-MSG-05"}},
	"N27": {"sender", "The sender address, if there is one, is a toolkit address.", []string{"WRD-VAL-03"}},
	"N28": {"interaction", "The interaction is the CP-IS query.", []string{"WRD-MSG-03"}},
	"N29": {"well-formed", "The message is well-formed XML in UTF-8, without a DTD, of at most 256 KiB.", []string{"WRD-VAL-03", "WS-STD-01"}},
	"N30": {"one-envelope", "The Body holds one DistributionEnvelope and nothing else.", []string{"WRD-MSG-01"}},
	"N31": {"one-plain-payload", "There is one payload, neither base64, compressed nor encrypted.", []string{"WRD-MSG-20", "WRD-MSG-21"}},
	"N33": {"payload-root", "The payload is a CP-ISQueryStub.", []string{"WRD-MSG-05"}},
}
