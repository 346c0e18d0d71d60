package providers

import (
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/wardsmsp/ward/internal/xmlstrict"
)

var bareUUID = regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)

func isUUID(s string) bool { return bareUUID.MatchString(s) }

// unless gives the words if a condition does not hold.
func unless(holds bool, words string) string {
	if holds {
		return ""
	}
	return words
}

// ofHTTP holds of every response, whatever it is about.
func ofHTTP() []invariant {
	return []invariant{
		{"every-status", "No response has a status by which a synchronous client would be misled, such as 202 or a redirection.", "WRD-MSG-24", everyHTTP, func(x exchange) string {
			s := x.reply.status
			return unless(s == 200 || s >= 400 && s < 600, "a status that is neither 200 nor an error")
		}},
		{"every-plain", "No response is compressed unless the client offered to take it so.", "WRD-MSG-25", everyHTTP, func(x exchange) string {
			encoding := x.reply.fields.Get("Content-Encoding")
			return unless(encoding == "" || encoding == "identity" || encoding == "gzip" && x.sent.takesGzip, "a Content-Encoding")
		}},
		{"every-refusal-bare", "An HTTP refusal has no content of a message, and no page.", "WRD-VAL-19", everyHTTP, func(x exchange) string {
			s := x.reply.status
			return unless(s < 400 || s >= 500 || s == 400 || x.reply.content == "", "a body under a status 4xx")
		}},
	}
}

// ofSOAP holds of every answer and every fault.
func ofSOAP() []invariant {
	return []invariant{
		{"every-xml", "Every reply is well-formed XML in UTF-8 without a document type or a processing instruction.", "WS-STD-01 WRD-SEC-02", everySOAP, func(x exchange) string {
			return unless(!x.reply.malformed, "the reply is refused by a strict reader")
		}},
		{"every-media-type", "Every reply says that it is text/xml in UTF-8.", "WS-STD-01", everySOAP, mediaType},
		{"every-soap", "Every reply is a SOAP 1.1 envelope of one Header and one Body with one element.", "WRD-MSG-01", everySOAP, func(x exchange) string {
			r := x.reply
			s := r.root.Sequence()
			s.One(nsSOAP, "Header")
			s.One(nsSOAP, "Body")
			return unless(r.root.Is(nsSOAP, "Envelope") && s.Done() == nil && r.bodies == 1, "not one Header and one Body with one element in a SOAP 1.1 Envelope")
		}},
		{"every-fault-or-answer", "Every reply is a fault or a DistributionEnvelope.", "WRD-MSG-01", everySOAP, func(x exchange) string {
			return unless(x.reply.isFault() != x.reply.isAnswer(), "neither a fault nor an answer")
		}},
		{"every-right-status", "An answer comes with HTTP 200, a fault with HTTP 500.", "WRD-MSG-24", everySOAP, func(x exchange) string {
			r := x.reply
			return unless(!r.isFault() || r.status == 500, "a fault with HTTP 200") + unless(!r.isAnswer() || r.status == 200, "an answer with HTTP 500")
		}},
		{"every-message-id", "Every reply has one wsa:MessageID that is an upper-case UUID without a prefix.", "WS-ADR-01a", everySOAP, func(x exchange) string {
			ids := named(x.reply.header, nsAddressing, "MessageID")
			return unless(len(ids) == 1 && isUUID(text(ids[0])), "wsa:MessageID is missing, stands twice or is no bare UUID")
		}},
		{"every-message-id-new", "The wsa:MessageID of a reply was in no reply before, nor in the request.", "WS-ADR-01a WRD-MSG-13", everySOAP, isNew("wsa:MessageID")},
		{"every-relates-to", "wsa:RelatesTo, if sent, is the MessageID of the request exactly as received, or the upper-case UUID in it.", "WRD-MSG-14", everySOAP, func(x exchange) string {
			relations := named(x.reply.header, nsAddressing, "RelatesTo")
			right := func(id string) bool { return id == x.sent.messageID || id == x.sent.uuid }
			return unless(len(relations) == 0 || len(relations) == 1 && right(text(relations[0])), "wsa:RelatesTo is neither the MessageID as it was sent nor the UUID in it")
		}},
		{"every-to", "wsa:To, if sent, is the anonymous address.", "WRD-MSG-01", everySOAP, func(x exchange) string {
			to := child(x.reply.header, nsAddressing, "To")
			return unless(!to.Exists() || text(to) == anonymous, "wsa:To is another address")
		}},
		{"every-edition", "No reply uses the 2004 edition of WS-Addressing.", "WRD-MSG-02", everySOAP, func(x exchange) string {
			return unless(!within(x.reply.root, func(e xmlstrict.Element) bool { return e.Name().Space == nsAddressed4 }), "an element of the 2004 edition")
		}},
		{"every-no-blank", "No attribute of a reply is empty.", "WRD-VAL-04", everySOAP, func(x exchange) string {
			return unless(!within(x.reply.root, hasBlank), "an attribute without a value")
		}},
		{"every-not-stored", "Every reply forbids that it is stored.", "WRD-SAF-05", everySOAP, func(x exchange) string {
			return unless(strings.Contains(x.reply.fields.Get("Cache-Control"), "no-store"), "no Cache-Control: no-store")
		}},
		{"every-no-schema", "No reply names a schema to be fetched.", "WS-STD-04", everySOAP, func(x exchange) string {
			return unless(!within(x.reply.root, hasSchemaLocation), "xsi:schemaLocation")
		}},
	}
}

func mediaType(x exchange) string {
	kind, parameters, err := mime.ParseMediaType(x.reply.fields.Get("Content-Type"))
	charset := parameters["charset"]
	return unless(err == nil && kind == "text/xml" && (charset == "" || strings.EqualFold(charset, "utf-8")), "a Content-Type other than text/xml in UTF-8")
}

func hasBlank(e xmlstrict.Element) bool {
	return slices.ContainsFunc(e.Attributes(), func(a xmlstrict.Attribute) bool { return strings.TrimSpace(a.Value) == "" })
}

func hasSchemaLocation(e xmlstrict.Element) bool {
	return slices.ContainsFunc(e.Attributes(), func(a xmlstrict.Attribute) bool {
		return a.Name.Space == nsInstance && strings.HasSuffix(strings.ToLower(a.Name.Local), "schemalocation")
	})
}

// isNew says that an id of a reply was used before.
func isNew(name string) func(exchange) string {
	return func(x exchange) string {
		id := x.reply.ids()[name]
		bare := strings.ToUpper(strings.TrimPrefix(id, "uuid_"))
		return unless(id == "" || !x.seen[id] && !slices.Contains(x.sent.ids, bare), name+" is not new")
	}
}

// ofFaults holds of every SOAP fault.
func ofFaults() []invariant {
	return []invariant{
		{"fault-action", "The wsa:Action of a fault is that of SOAP faults.", "WRD-VAL-01", everyFault, func(x exchange) string {
			return unless(text(child(x.reply.header, nsAddressing, "Action")) == faultAction, "another wsa:Action")
		}},
		{"fault-shape", "A fault has faultcode, faultstring, perhaps faultactor, and detail, without a namespace and in this order.", "WRD-VAL-01", everyFault, func(x exchange) string {
			s := x.reply.fault.Sequence()
			s.One("", "faultcode")
			words := s.One("", "faultstring")
			actor, given := s.Optional("", "faultactor")
			s.One("", "detail")
			sound := s.Done() == nil && text(words) != "" && (!given || strings.HasPrefix(text(actor), "http"))
			return unless(sound, "an element is missing, empty or out of order")
		}},
		{"fault-code", "The faultcode is one of the four of SOAP 1.1, with a prefix.", "WRD-VAL-01", everyFault, func(x exchange) string {
			written := text(child(x.reply.fault, "", "faultcode"))
			return unless(strings.Contains(written, ":") && slices.Contains(faultCodes(), x.reply.faultCode()), "another faultcode, or one without a prefix")
		}},
		{"fault-detail", "The detail is one ToolkitErrorInfo of ErrorID, ErrorCode, ErrorText and perhaps ErrorDiagnosticText.", "WRD-VAL-01", everyFault, func(x exchange) string {
			s := x.reply.info.Sequence()
			s.One(nsITK, "ErrorID")
			s.One(nsITK, "ErrorCode")
			s.One(nsITK, "ErrorText")
			s.Optional(nsITK, "ErrorDiagnosticText")
			return unless(x.reply.info.Exists() && count(x.reply.detail) == 1 && s.Done() == nil, "ToolkitErrorInfo is missing, not alone or out of order")
		}},
		{"fault-error-id", "The ErrorID is an upper-case UUID.", "WRD-VAL-01", everyFault, func(x exchange) string {
			return unless(isUUID(text(child(x.reply.info, nsITK, "ErrorID"))), "ErrorID is missing or no bare UUID")
		}},
		{"fault-error-id-new", "The ErrorID of a fault was in no reply before, and is not its MessageID.", "WRD-VAL-01", everyFault, func(x exchange) string {
			ids := x.reply.ids()
			return isNew("ErrorID")(x) + unless(ids["ErrorID"] == "" || ids["ErrorID"] != ids["wsa:MessageID"], "ErrorID is the MessageID")
		}},
		{"fault-error-code", "The ErrorCode is one of the toolkit's, and its code system is not another one.", "WRD-VAL-01", everyFault, func(x exchange) string {
			code := child(x.reply.info, nsITK, "ErrorCode")
			system := attribute(code, "codeSystem")
			return unless((system == "" || system == oidErrors) && slices.Contains(errorCodes(), text(code)), "another ErrorCode or code system")
		}},
		{"fault-text", "The ErrorText says something.", "WRD-VAL-01", everyFault, func(x exchange) string {
			return unless(text(child(x.reply.info, nsITK, "ErrorText")) != "", "ErrorText is missing or empty")
		}},
		{"fault-no-number", "No fault repeats the NHS number of the request.", "WRD-VAL-19", everyFault, func(x exchange) string {
			return unless(!strings.Contains(x.reply.content, x.sent.number), "the NHS number stands in the fault")
		}},
		{"fault-no-name", "No fault repeats a name of the request.", "WRD-VAL-19", everyFault, func(x exchange) string {
			told := words(x.reply.content)
			return unless(!slices.ContainsFunc(x.sent.names, func(name string) bool { return slices.Contains(told, name) }), "a name of the request stands in the fault")
		}},
		{"fault-no-inside", "No fault shows the inside of the provider: a stack, a file or an exception.", "WRD-VAL-18 WRD-VAL-19", everyFault, func(x exchange) string {
			return unless(!inside.MatchString(x.reply.content), "a stack, a file or an exception stands in the fault")
		}},
	}
}

var inside = regexp.MustCompile(`(?i)goroutine |\.go:\d|exception|stack ?trace|\bat [a-z]+\.[a-z.]+\(|\.java:|\.cs:|/(usr|var|srv|home|opt|etc)/|[a-z]:\\`)
